"""Explainer networks: shapes, samples alone and in a batch, padding, options, bodies."""

import pytest
import torch
from torch import nn

from pear_lightning.functional.rebuilding import rebuild, recipe_of
from pear_lightning.masking import ColumnMasker, PatchMasker
from pear_lightning.nn import (
    BackboneTokens,
    ColumnTokens,
    ExplainerMLP,
    ExplainerTransformer,
    PatchTokens,
    SklearnClassifier,
    TextTokens,
)
from pear_lightning.nn.score_scale import scaled_scores

GROUPS = [[1, 3], [5, 6]]
TABLE, IMAGES, IDS = torch.randn(5, 7), torch.randn(5, 2, 8, 10), torch.randint(1, 50, (5, 9))
MASK = torch.ones(5, 9).long()
MASK[1, 4:] = MASK[3, 7:] = 0


class Text(nn.Module):
    """A text model that returns what those of transformers do."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8)

    def forward(self, input_ids, attention_mask=None):
        return type("Output", (), {"last_hidden_state": self.embed(input_ids)})()


CASES = {
    "columns": (lambda: ColumnTokens(7, 8), TABLE, {}, 7),
    "groups": (lambda: ColumnTokens(7, 8, GROUPS), TABLE, {}, 5),
    "patches": (lambda: PatchTokens(4, (8, 10), 2, 8), IMAGES, {}, 6),
    "ids": (lambda: TextTokens(50, n_tokens=12, dim=8), IDS, {"attention_mask": MASK}, 9),
    "embeddings": (
        lambda: TextTokens(embedding_dim=3, n_tokens=12, dim=8),
        torch.randn(5, 9, 3),
        {"attention_mask": MASK},
        9,
    ),
    "map of a CNN": (
        lambda: BackboneTokens(nn.Conv2d(2, 8, 3), 6, 8, (2, 3)),
        IMAGES,
        {},
        6,
    ),
    "text backbone": (
        lambda: BackboneTokens(Text(), 12, 8),
        IDS,
        {"attention_mask": MASK},
        9,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_sample_has_the_same_scores_in_any_batch(case):
    tokens, inputs, arguments, n = CASES[case]
    network = ExplainerTransformer(tokens(), depth=2, heads=2, dropout=0.1).eval()
    together = network(inputs, **arguments)
    assert together.shape == (5, n)
    for row in range(5):
        own = {name: value[row : row + 1] for name, value in arguments.items()}
        alone = network(inputs[row : row + 1], **own)
        present = own.get("attention_mask", torch.ones(1, n)).bool()
        torch.testing.assert_close(
            alone[present], together[row : row + 1][present], atol=1e-5, rtol=1e-4
        )


def test_padding_has_no_effect():
    network = ExplainerTransformer(TextTokens(50, n_tokens=12, dim=8), 2, 2).eval()
    other = torch.where(MASK == 0, 7, IDS)
    found, changed = (network(ids, attention_mask=MASK) for ids in (IDS, other))
    torch.testing.assert_close(found[MASK == 1], changed[MASK == 1])
    short = network(IDS[1:2, :4], attention_mask=MASK[1:2, :4])
    torch.testing.assert_close(short, found[1:2, :4], atol=1e-5, rtol=1e-4)
    left = network(IDS[1:2].roll(5, 1), attention_mask=MASK[1:2].roll(5, 1))
    torch.testing.assert_close(left[:, 5:], short, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("build", [ExplainerMLP, None], ids=["mlp", "transformer"])
def test_classes_and_side_inputs(build):
    def network(**kwargs):
        torch.manual_seed(0)
        if build is None:
            return ExplainerTransformer(ColumnTokens(7, 8), 1, 2, **kwargs).eval()
        return build(7, hidden_features=(8,), **kwargs).eval()

    assert network(num_classes=3, per_class=True)(TABLE).shape == (5, 7, 3)
    of_class = network(num_classes=3)
    one, two = (of_class(TABLE, target=torch.full((5,), c)) for c in (1, 2))
    assert (one != two).any(dim=1).all()
    with pytest.raises(ValueError, match="target must be given"):
        of_class(TABLE)
    with_side = network(side_channels=2)
    side = torch.randn(5, 7, 2)
    assert (with_side(TABLE, side=side) != with_side(TABLE, side=-side)).any(dim=1).all()
    with pytest.raises(ValueError, match="side must be given"):
        with_side(TABLE)
    with pytest.raises(ValueError, match="num_classes must be given"):
        network(per_class=True)
    with pytest.raises(ValueError, match="scale must be one of"):
        network(scale="tanh")


def test_scales():
    network = ExplainerMLP(7, hidden_features=(8,))
    network.scale = "sigmoid"
    assert ((network(TABLE) > 0) & (network(TABLE) < 1)).all()
    network.scale = "minmax"
    scores = network(TABLE)
    assert scores.amin(dim=1).tolist() == [0] * 5
    assert scores.amax(dim=1).tolist() == [1] * 5
    torch.testing.assert_close(network(TABLE[:1]), scores[:1])  # per sample, not per batch
    assert scaled_scores(torch.ones(2, 3), "minmax").tolist() == [[0] * 3] * 2
    shares = scaled_scores(torch.tensor([[1.0, 3.0, 9.0]]), "softmax", torch.tensor([[1, 1, 0]]))
    torch.testing.assert_close(shares[:, :2], torch.tensor([[1.0, 3.0]]).softmax(dim=1))
    assert shares[0, 2] == 0
    shown = scaled_scores(torch.tensor([[1.0, 3.0, 9.0]]), "minmax", torch.tensor([[1, 1, 0]]))
    assert shown[0, :2].tolist() == [0, 1]


def test_coefficients_of_columns_are_multiplied_by_the_inputs_and_summed_in_groups():
    groups = [[1, 4], [2, 3]]
    for per_class in (False, True):
        network = ExplainerMLP(
            6, times_inputs=True, groups=groups, num_classes=3, per_class=per_class
        ).double()
        rows, target = torch.randn(4, 6).double(), torch.tensor([0, 1, 2, 0])
        found = network(rows, target=None if per_class else target)
        classes = torch.nn.functional.one_hot(target, 3).double()
        parts = rows if per_class else torch.cat([rows, classes], dim=1)
        coefficients = network.mlp(parts)
        coefficients = coefficients.view(4, 6, 3) if per_class else coefficients
        shares = coefficients * (rows[..., None] if per_class else rows)
        wanted = [shares[:, 0], shares[:, 1] + shares[:, 4], shares[:, 2] + shares[:, 3],
                  shares[:, 5]]  # fmt: skip
        torch.testing.assert_close(found, torch.stack(wanted, dim=1))
    assert network(torch.zeros(1, 6).double()).eq(0).all()
    again = rebuild(recipe_of(network))
    assert again.groups == groups
    assert again.times_inputs


def test_groups_of_columns_must_fit():
    with pytest.raises(ValueError, match="groups must be None without times_inputs"):
        ExplainerMLP(6, groups=[[0, 1]])
    with pytest.raises(ValueError, match=r"n_features must be the number of features.*5.*got 6"):
        ExplainerMLP(6, 6, times_inputs=True, groups=[[0, 1]])
    with pytest.raises(ValueError, match="groups must name each column once"):
        ExplainerMLP(6, times_inputs=True, groups=[[0, 1], [1, 2]])


def test_groups_and_patches_are_those_of_the_maskers():
    tokens = ColumnTokens(7, 8, GROUPS)
    masker = ColumnMasker(7, GROUPS)
    assert tokens.feature_of.tolist() == masker.feature_map(TABLE, {})[0].tolist()
    patches = PatchTokens(4, (8, 10), 2, 8)
    bound = PatchMasker(4, (8, 10)).bind(IMAGES)
    before = patches(IMAGES)
    for patch in range(bound.n_features):
        keep = torch.ones(5, 1, bound.n_features, dtype=torch.bool)
        keep[:, :, patch] = False
        changed = (patches(bound.apply(keep)[:, 0]) != before).any(dim=2).any(dim=0)
        assert changed.nonzero().flatten().tolist() == [patch]


class Prefixed(nn.Module):
    """A backbone with the interface of timm and a class token."""

    def forward_features(self, images):
        tokens = nn.functional.avg_pool2d(images, 4).flatten(2).mT
        return torch.cat([tokens.new_full((len(tokens), 1, 2), 9.0), tokens], dim=1)


def test_the_last_tokens_are_those_of_the_patches():
    found = BackboneTokens(Prefixed(), 4, 2)(IMAGES[..., :8])
    torch.testing.assert_close(found, Prefixed().forward_features(IMAGES[..., :8])[:, 1:])


def test_tokens_of_a_vision_transformer_are_its_last():
    pytest.importorskip("timm")
    import timm

    vit = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=8, num_classes=0, depth=1
    )
    network = ExplainerTransformer(BackboneTokens(vit, 16, vit.embed_dim), depth=0).eval()
    assert network(torch.randn(2, 3, 32, 32)).shape == (2, 16)


@pytest.mark.parametrize("case", [name for name in CASES if "backbone" not in name])
def test_networks_are_rebuilt_from_plain_values(case, tmp_path):
    if case == "map of a CNN":
        pytest.skip("a backbone of the user")
    tokens, inputs, arguments, _ = CASES[case]
    network = ExplainerTransformer(
        tokens(), depth=1, heads=2, num_classes=3, per_class=True, scale="sigmoid"
    ).eval()
    torch.save(recipe_of(network), tmp_path / "recipe.pt")
    again = rebuild(torch.load(tmp_path / "recipe.pt", weights_only=True)).eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(inputs, **arguments), network(inputs, **arguments))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TextTokens(), "vocabulary or embedding_dim"),
        (lambda: ExplainerTransformer(ColumnTokens(3, 8), heads=3), "heads must divide"),
        (lambda: BackboneTokens(nn.Identity(), 6, 8, (2, 2)), "grid must have 6"),
        (lambda: BackboneTokens(nn.Identity(), 6, 8)(TABLE), "backbone must return tokens"),
        (lambda: ColumnTokens(6)(TABLE), r"inputs must have shape \(B, 6\)"),
        (lambda: PatchTokens(4, 8, 2)(IMAGES), "inputs must be images"),
        (lambda: TextTokens(50, n_tokens=4)(IDS), "inputs must be texts"),
        (lambda: ExplainerMLP(6)(TABLE), r"inputs must have shape \(B, 6\)"),
    ],
)
def test_bad_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_classifiers_of_sklearn():
    naive = pytest.importorskip("sklearn.naive_bayes")
    inputs = torch.randn(80, 3)
    target = (inputs[:, 0] > 0).long()
    model = SklearnClassifier(naive.GaussianNB())
    with pytest.raises(RuntimeError, match="estimator must be fitted"):
        model(inputs)
    assert not list(model.fit(inputs, target).parameters())
    expected = torch.tensor(model.estimator.predict_proba(inputs.numpy())).float()
    torch.testing.assert_close(model(inputs).exp(), expected.clamp(min=1e-6))
    with pytest.raises(TypeError, match="estimator must have predict_proba"):
        SklearnClassifier(nn.Linear(2, 2))
    with pytest.raises(TypeError, match="arguments must be None"):
        SklearnClassifier(naive.GaussianNB(), {"priors": None})


@pytest.mark.parametrize("labels", [[0, 2, 3], [1, 2], [0, 1]])
def test_each_column_of_a_classifier_of_sklearn_is_the_class_of_that_number(labels):
    naive = pytest.importorskip("sklearn.naive_bayes")
    inputs = torch.randn(80, 3)
    number = (inputs[:, 0] > 0).long() + (inputs[:, 0] > 1).long()
    target = torch.tensor(labels)[number.clamp(max=len(labels) - 1)]
    for fitted_to in (target, target.float(), target.to(torch.uint8)):
        model = SklearnClassifier(naive.GaussianNB()).fit(inputs, fitted_to)
        found = model(inputs)
        assert found.shape == (80, max(labels) + 1)
        expected = torch.tensor(model.estimator.predict(inputs.numpy())).long()
        assert torch.equal(found.argmax(dim=1), expected)
        probabilities = torch.tensor(model.estimator.predict_proba(inputs.numpy())).float()
        torch.testing.assert_close(found[:, labels].exp(), probabilities.clamp(min=1e-6))
        others = [label for label in range(max(labels)) if label not in labels]
        assert (found[:, others].exp() < 2e-6).all()


@pytest.mark.parametrize("labels", [["no", "yes"], [-1, 1]])
def test_classifiers_of_sklearn_are_fitted_to_class_indices(labels):
    naive = pytest.importorskip("sklearn.naive_bayes")
    inputs = torch.randn(8, 3)
    estimator = naive.GaussianNB().fit(inputs.numpy(), [labels[0]] * 4 + [labels[1]] * 4)
    with pytest.raises(ValueError, match=r"fitted to class indices 0, 1, \.\.\., got the classes"):
        SklearnClassifier(estimator)(inputs)
