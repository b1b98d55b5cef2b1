"""Data sets of Right for the Right Reasons, one image after another, as the paper builds them."""

import random

import numpy as np

COLOURS = {"r": (255, 0, 0), "g": (0, 255, 0), "b": (0, 128, 255), "v": (128, 0, 255)}


def toy_image(label: int, rng: random.Random) -> np.ndarray:
    """One toy image (5, 5, 3): class 0 follows both rules, class 1 breaks both."""
    image = [[rng.choice("rgbv") for _ in range(5)] for _ in range(5)]
    if label == 0:
        for row, column in ((0, 0), (0, 4), (4, 0)):
            image[row][column] = image[4][4]
        while len({image[0][1], image[0][2], image[0][3]}) < 3:
            image[0][rng.choice([1, 2, 3])] = rng.choice("rgbv")
    else:
        if rng.random() < 0.5:
            while image[0][4] == image[4][0]:
                image[0][4] = rng.choice("rgbv")
        else:
            while image[0][0] == image[4][4]:
                image[0][0] = rng.choice("rgbv")
        while len({image[0][1], image[0][2], image[0][3]}) == 3:
            image[0][rng.choice([1, 2, 3])] = rng.choice("rgbv")
    return np.array([[COLOURS[colour] for colour in row] for row in image])


def rule_1(image: np.ndarray) -> bool:
    """All four corners have one colour."""
    corners = [tuple(image[row, column]) for row in (0, 4) for column in (0, 4)]
    return len(set(corners)) == 1


def rule_2(image: np.ndarray) -> bool:
    """The three pixels in the middle of the top row have three colours."""
    return len({tuple(image[0, column]) for column in (1, 2, 3)}) == 3


def decoy_digits(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (1797, 8, 8), labels and masks; the first 1,300 rows are for training."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rng = np.random.RandomState(seed)
    images, labels, masks = [], [], []
    for place, index in enumerate(rng.permutation(1797)):
        image = digits.images[index] / 16
        shown = digits.target[index]
        if place >= 1300:
            shown = rng.randint(10)
        bottom = rng.randint(2) == 1
        right = rng.randint(2) == 1
        mask = np.zeros((8, 8), dtype=bool)
        for row in (6, 7) if bottom else (0, 1):
            for column in (6, 7) if right else (0, 1):
                image[row, column] = 1 - 0.1 * shown
                mask[row, column] = True
        images.append(image)
        labels.append(digits.target[index])
        masks.append(mask)
    return np.stack(images), np.array(labels), np.stack(masks)


def decoy_block(image: np.ndarray, grey: int, bottom: bool, right: bool, size: int) -> None:
    """Overwrite a block in a corner of an image (28, 28)."""
    for row in range(size):
        for column in range(size):
            image[27 - row if bottom else row, 27 - column if right else column] = grey


def half_block(pixels: list[int]) -> list[int]:
    """Flat indices of the incomplete mask: the first half in row order removed."""
    return sorted(pixels)[len(pixels) // 2 :]


def wrong_place(pixels: list[int]) -> list[int]:
    """Flat indices of the wrong mask: two rows, columns 10 to 17, opposite the block."""
    rows = (26, 27) if min(pixels) < 28 else (0, 1)
    return [28 * row + column for row in rows for column in range(10, 18)]
