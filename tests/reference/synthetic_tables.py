"""The synthetic tables row by row, from the formulas of their authors' code; counted from 1."""

import math

CORNER_ORDER = ["+++", "---", "++-", "--+", "+--", "-++", "-+-", "+-+"]


def invase_probability_of_0(name: str, x: dict[int, float]) -> float:
    logit = {
        "syn1": lambda: math.exp(x[1] * x[2]),
        "syn2": lambda: math.exp(x[3] ** 2 + x[4] ** 2 + x[5] ** 2 + x[6] ** 2 - 4),
        "syn3": lambda: math.exp(
            -10 * math.sin(0.2 * x[7]) + abs(x[8]) + x[9] + math.exp(-x[10]) - 2.4
        ),
    }
    logit["syn4"] = logit["syn1"] if x[11] < 0 else logit["syn2"]
    logit["syn5"] = logit["syn1"] if x[11] < 0 else logit["syn3"]
    logit["syn6"] = logit["syn2"] if x[11] < 0 else logit["syn3"]
    value = logit[name]()
    return value / (1 + value)


def invase_relevant(name: str, x: dict[int, float]) -> set[int]:
    relevant = {"syn1": {1, 2}, "syn2": {3, 4, 5, 6}, "syn3": {7, 8, 9, 10}}
    relevant["syn4"] = {11} | (relevant["syn1"] if x[11] < 0 else relevant["syn2"])
    relevant["syn5"] = {11} | (relevant["syn1"] if x[11] < 0 else relevant["syn3"])
    relevant["syn6"] = {11} | (relevant["syn2"] if x[11] < 0 else relevant["syn3"])
    return relevant[name]


def xor_probability_of_0(x: dict[int, float]) -> float:
    logit = math.exp(x[1] * x[2])
    return logit / (1 + logit)


def corner_blocks(rows: int) -> list[tuple[list[int], int]]:
    """For each of the rows before they are permuted: the corner, and the class."""
    blocks = []
    for block in range(8):
        corner = [1 if sign == "+" else -1 for sign in CORNER_ORDER[block]]
        blocks += [(corner, block // 2)] * (rows // 8)
    return blocks


def friedman(x: dict[int, float]) -> float:
    return 10 * math.sin(math.pi * x[1] * x[2]) + 20 * (x[3] - 0.5) ** 2 + 10 * x[4] + 5 * x[5]
