"""What the right-reasons benchmark trains: named settings."""

from benchmarks.right_reasons.setting import Setting

IRIS = Setting("iris", epochs=200, batch_size=67)
DIGITS = Setting("digits", paper_init=False, batch_size=64, decay=0.0)
MNIST = Setting("mnist", data_seed=0)
TOY = Setting("toy", (("mask", "corners"),))
NEWS = Setting("news")
WIDE = Setting(
    "mnist",
    (("scaling", "unit"),),
    hidden=(512,),
    paper_init=False,
    epochs=4,
    decay=0.0,
    data_seed=0,
)
CNN = WIDE.but({"flat": False}, network="cnn", hidden=())
SWEEP = (0.01, 0.1, 1.0, 10.0, 100.0, 1e4, 1e5, 1e6)
TOY_SWEEP = (1.0, 10.0, 100.0, 1000.0)
TOY_ROWS = (25, 100, 400, 1600)
# losses and weights of the family on inputs 0..1
FAMILY = (
    ("rrr", 0.1),
    ("rrr", 1.0),
    ("rrr", 10.0),
    ("label", 1.0),
    ("label", 10.0),
    ("predicted", 1.0),
    ("logits_l2", 0.1),
    ("rrr_l1", 0.1),
    ("expected", 10.0),
    ("r4", 100.0),
    ("r4", 1000.0),
    ("pgd_r4", 1.0),
    ("ibp_ex", 0.5),
    ("cdep", 10.0),
    ("cdep", 1000.0),
    ("ibp_ex, eps=1", 0.5),
    ("rand_r4", 100.0),
    ("rbr", 1.0),
    ("energy", 100.0),
    ("counterexamples", 1.0),
    ("corm", 1.0),
    ("pgd_ex", 1.0),
)
# losses of a layer, of a convolutional network; the hints mark what is relevant
CNN_FAMILY = (
    ("rrr", 1.0),
    ("rrr_g", 5.0),
    ("rrr_g", 20.0),
    ("simplified_hint", 1.0),
    ("simplified_hint", 5.0),
    ("hint", 0.1),
    ("hint", 1.0),
)
EXPERIMENTS: dict[str, dict[str, Setting]] = {
    "iris": {
        "none": IRIS,
        "mask": IRIS.but(weight=1000.0),
        "standardised, none": IRIS.but({"scaling": "standard"}),
        "standardised, mask": IRIS.but({"scaling": "standard"}, weight=1000.0),
    },
    "mnist": {
        "none": MNIST,
        "mask": MNIST.but(weight=1000.0),
        "no decoy": MNIST.but({"decoy": False}),
    },
    "digits": {
        "no decoy": DIGITS.but({"decoy": False}),
        "none": DIGITS,
        **{f"λ={weight:g}": DIGITS.but(weight=weight) for weight in (0.1, 1.0, 10.0, 100.0)},
        **{
            f"λ=1, {rows} rows": DIGITS.but({"n_annotated": rows}, weight=1.0)
            for rows in (10, 50, 100)
        },
        "label, λ=10": DIGITS.but(weight=10.0, loss="label"),
        "predicted, λ=10": DIGITS.but(weight=10.0, loss="predicted"),
    },
    "find": {
        "mnist": MNIST.but(weight=1000.0, found=2),
        "mnist, 512 units": WIDE.but(weight=1.0, found=3),
        "iris": IRIS.but(weight=1000.0, found=3),
        "toy": TOY.but(weight=1000.0, weights=(1000.0, 1e6), found=2),
        "news": NEWS.but(weight=250.0, found=3),
    },
    "toy": {
        "none": TOY,
        **{f"λ={weight:g}": TOY.but(weight=weight) for weight in TOY_SWEEP},
        **{f"{rows} rows": TOY.but({"n_annotated": rows}, weight=1000.0) for rows in TOY_ROWS},
        "top middle": TOY.but({"mask": "top_middle"}, weight=1000.0),
        "both": TOY.but({"mask": "both"}, weight=1e6),
    },
    "news": {"none": NEWS},
    "sweep": {f"λ={weight:g}": MNIST.but(weight=weight) for weight in SWEEP},
    "family": {
        "none": WIDE,
        "no decoy": WIDE.but({"decoy": False}),
        **{f"{loss}, λ={w:g}": WIDE.but(weight=w, loss=loss) for loss, w in FAMILY},
    },
    "fashion": {
        "none": WIDE.but({"fashion": True}),
        "no decoy": WIDE.but({"fashion": True, "decoy": False}),
        **{
            f"{loss}, λ={w:g}": WIDE.but({"fashion": True}, weight=w, loss=loss)
            for loss, w in FAMILY
        },
    },
    "cnn": {
        "none": CNN,
        "no decoy": CNN.but({"decoy": False}),
        **{
            f"{loss}, λ={w:g}": CNN.but(weight=w, loss=loss, relevant="hint" in loss)
            for loss, w in CNN_FAMILY
        },
    },
    "masks": {
        **{f"{rows} rows": WIDE.but({"n_annotated": rows}, weight=1.0) for rows in (25, 400, 5000)},
        **{
            kind: WIDE.but({"mask": kind}, weight=1.0)
            for kind in ("half_block", "wrong_place", "random", "all", "all_corners")
        },
        "switched on after 2 of 4 epochs": WIDE.but(weight=1.0, switch_on=0.5),
        "switched on after 4 of 16 epochs": WIDE.but(weight=1.0, switch_on=0.25, epochs=16),
    },
}
