"""Ways to train an explainer."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from benchmarks.deepfaith.settings import OURS, PAPERS
from pear_lightning.losses.correlation_term import PRESETS, CorrelationTerm
from pear_lightning.scoring import BernoulliLaw, FixedSizeLaw, SingleRemovalLaw, UniformSizeLaw
from pear_lightning.scoring.outputs import OutputName

Kind = Literal["table", "image", "text"]
Terms = tuple[CorrelationTerm, ...]

PAPER_RULES = {"keep": "first", "without_survivor": "drop"}
"""The paper keeps the first explanation of a group, and drops samples without survivor."""


@dataclass(frozen=True)
class Method:
    """A way to train an explainer.

    Attributes:
        terms: Terms of the local correlation loss.
        alpha: Weight of the pattern consistency loss; ``None`` for Algorithm 1.
        supervision: Rules of the supervision; ``None`` for none.
        sigmoid: Whether scores lie in [0, 1].
        zero_rule: Whether features that equal the baseline have score 0.
        side: What the network reads of the explained model, which is ``model`` in a
            :class:`~benchmarks.shared.watched.Watched`.
        given_class: Whether the explained class is an input of the network.
        all_classes: Whether the network returns scores of all classes and learns all of them from
            the same subsets; the class is no input then.
        times_inputs: Whether the network for tables returns factors of the columns.
        from_model: Whether the network for images and texts begins with the convolutions of the
            explained one, which it trains further.
        made_up: Whether made-up rows fill up a table with too few training rows.
    """

    terms: Terms
    alpha: float | None = 0.0
    supervision: dict[str, Any] | None = field(default=None, hash=False)
    sigmoid: bool = False
    zero_rule: bool = True
    side: tuple[str, ...] = ()
    given_class: bool = True
    all_classes: bool = False
    times_inputs: bool = True
    made_up: bool = True
    from_model: bool = True


def ours(kind: Kind, **changes: Any) -> Method:
    """Return the library's way for a kind of samples: its preset.

    Args:
        kind: What the samples are.
        **changes: Of the method.
    """
    preset: dict[str, Any] = {"terms": PRESETS[kind], "all_classes": kind != "table"}
    return Method(**(preset | changes))


def papers(**changes: Any) -> Method:
    """Return the paper's recipe.

    Args:
        **changes: Of the method.
    """
    recipe: dict[str, Any] = {
        "terms": PRESETS["paper"],
        "alpha": None,
        "supervision": PAPER_RULES,
        "sigmoid": True,
        "zero_rule": False,
        "given_class": False,
        "times_inputs": False,
        "made_up": False,
        "from_model": False,
    }
    return Method(**(recipe | changes))


def compared(kind: Kind) -> dict[str, Method]:
    """Return the methods of the main tables.

    Args:
        kind: What the samples are.
    """
    return {OURS: ours(kind), PAPERS: papers()}


def candidates(kind: Kind) -> dict[str, Method]:
    """Return the mixtures among which validation samples choose.

    Args:
        kind: What the samples are.
    """
    preset = ours(kind)
    return {"preset": preset} | {
        name: ours(kind, terms=terms)
        for name, terms in _mixtures(kind).items()
        if set(terms) != set(preset.terms)
    }


def _mixtures(kind: Kind) -> dict[str, Terms]:
    if kind == "table":
        return {
            "uniform": (_uniform(1),),
            "uniform, logit": (_uniform(1, "centered_logit"),),
            "uniform, logit + .5 few + single": (
                _uniform(1, "centered_logit"),
                _few(0.43, 0.5),
                _single(1),
            ),
            "uniform, both + .3 single": (
                _uniform(1),
                _uniform(1, "centered_logit"),
                _single(0.3),
            ),
            "Bernoulli, both + .3 single": (
                _bernoulli(1),
                _bernoulli(1, "centered_logit"),
                _single(0.3),
            ),
            "Bernoulli + .5 few + .3 single": (_bernoulli(1), _few(0.43, 0.5), _single(0.3)),
        }
    return {
        "Bernoulli": (_bernoulli(1),),
        "Bernoulli + .15 few + .15 single": (_bernoulli(1), _few(0.1, 0.15), _single(0.15)),
        "Bernoulli + .5 few + .5 single": (_bernoulli(1), _few(0.1, 0.5), _single(0.5)),
        "uniform + .15 single": (_uniform(1), _single(0.15)),
        "uniform, both + .5 few + .3 single": (
            _uniform(1),
            _uniform(1, "centered_logit"),
            _few(0.1, 0.5),
            _single(0.3),
        ),
        "uniform, both + .5 few + single": (
            _uniform(1),
            _uniform(1, "centered_logit"),
            _few(0.1, 0.5),
            _single(1),
        ),
    }


def _uniform(weight: float, output: OutputName = "prob") -> CorrelationTerm:
    return CorrelationTerm(UniformSizeLaw(), weight, output)


def _bernoulli(weight: float, output: OutputName = "prob") -> CorrelationTerm:
    return CorrelationTerm(BernoulliLaw(), weight, output)


def _few(share: float, weight: float) -> CorrelationTerm:
    return CorrelationTerm(FixedSizeLaw(share), weight)


def _single(weight: float) -> CorrelationTerm:
    return CorrelationTerm(SingleRemovalLaw(), weight, centered=False)


def ablations(kind: Kind) -> dict[str, Method]:
    """Return variants of both recipes.

    Args:
        kind: What the samples are.
    """
    preset = PRESETS[kind]
    of_logit, of_prob = (
        tuple(replace(term, output=output) for term in preset)
        for output in ("centered_logit", "prob")
    )
    centred = tuple(replace(term, centered=True) for term in preset)
    of_tables = {
        "ours: scores of all classes": ours(kind, all_classes=True),
        "ours: scores instead of coefficients": ours(kind, times_inputs=False),
        "ours: without made-up rows": ours(kind, made_up=False),
        "ours: reads the last hidden layer": ours(kind, side=("hidden:model.layers.4",)),
    }
    of_others = {
        "ours: convolutions from scratch": ours(kind, from_model=False),
        "ours: the class as an input": ours(kind, all_classes=False),
    }
    of_kind = of_tables if kind == "table" else of_others
    everything = {"similarity": 0.9, "quantile": 0.0}
    return {
        "paper: full": papers(),
        "paper: L_PC only": papers(alpha=1.0),
        "paper: L_LC only": papers(alpha=0.0, supervision=None),
        "paper: deduplication only": papers(alpha=1.0, supervision=PAPER_RULES | everything),
        "paper: L_LC only, unbounded": papers(alpha=0.0, supervision=None, sigmoid=False),
        "ours": ours(kind),
        **{f"ours: {name}": ours(kind, terms=(term,)) for name, term in _named(preset).items()},
        "ours: logit only": ours(kind, terms=of_logit),
        "ours: probability only": ours(kind, terms=of_prob),
        "ours: correlation instead of cosine": ours(kind, terms=centred),
        "ours: without zero rule": ours(kind, zero_rule=False),
        "ours: class not given": ours(kind, given_class=False, all_classes=False),
        **of_kind,
        "ours: sigmoid": ours(kind, sigmoid=True, zero_rule=False, times_inputs=False),
        "ours: reads a gradient": ours(kind, side=("gradient",)),
        "ours: reads single removals": ours(kind, side=("removals",)),
        "ours: alpha .2, best survivor": ours(kind, alpha=0.2, supervision={}),
        "ours: alpha .5, best survivor": ours(kind, alpha=0.5, supervision={}),
    }


def _named(preset: Terms) -> dict[str, CorrelationTerm]:
    laws = {
        "BernoulliLaw": "Bernoulli subsets only",
        "UniformSizeLaw": "uniform sizes only",
        "FixedSizeLaw": "few features only",
        "SingleRemovalLaw": "single removals only",
    }
    return {f"{laws[type(term.law).__name__]} ({term.output})": term for term in preset}
