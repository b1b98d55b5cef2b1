"""AmortizedExplainer: maskers, texts, references, side inputs and what a checkpoint holds."""

import pytest
import torch
from torch import nn

from pear_lightning.explainers import AmortizedExplainer, Occlusion, explain
from pear_lightning.functional.rebuilding import Rebuildable, rebuild, recipe_of
from pear_lightning.masking import (
    Blur,
    ColumnMasker,
    GaussianNoise,
    PatchMasker,
    SegmentMasker,
    Shuffle,
    TokenMasker,
    UniformNoise,
)
from pear_lightning.modules import DeepFaith
from pear_lightning.nn import (
    ExplainerMLP,
    ExplainerTransformer,
    PatchTokens,
    TextTokens,
    TransformerTextClassifier,
)
from pear_lightning.scoring import Batch, Scorer, resolve_output
from pear_lightning.scoring.side_inputs import side_inputs

IMAGES = torch.rand(3, 2, 8, 12)
MASKERS = {
    "columns": (ColumnMasker(5, groups=[[3, 1]], baseline=0.25), torch.rand(3, 5)),
    "patches": (PatchMasker(4, (8, 12), baseline=torch.rand(2, 1, 1)), IMAGES),
    "mean pooling": (PatchMasker((2, 3), baseline="own_mean", pooling="mean"), IMAGES),
    "blur": (PatchMasker(4, baseline=Blur(2.0, 5)), IMAGES),
    "noise": (PatchMasker(4, baseline=UniformNoise(-1, 1, seed=3)), IMAGES),
    "normal noise": (ColumnMasker(5, baseline=GaussianNoise(std=0.2)), torch.rand(3, 5)),
    "segments": (SegmentMasker(torch.arange(96).view(8, 12) // 30), IMAGES),
    "tokens": (
        TokenMasker(4, special_token_ids=[2, 3], pad_token_id=0),
        torch.tensor([[2, 7, 9, 3], [2, 5, 3, 0]]),
    ),
    "embeddings": (TokenMasker(baseline=Shuffle(seed=2), n_tokens=4), torch.rand(3, 4, 6)),
}


@pytest.mark.parametrize("name", MASKERS)
def test_maskers_are_rebuilt_from_plain_values(name, tmp_path):
    masker, inputs = MASKERS[name]
    torch.save(recipe_of(masker), tmp_path / "recipe.pt")
    again = rebuild(torch.load(tmp_path / "recipe.pt", weights_only=True))
    assert repr(again) == repr(masker)
    first, second = masker.bind(inputs), again.bind(inputs)
    keep = torch.rand(len(inputs), 6, first.n_features) < 0.5
    draws = torch.arange(6)
    assert torch.equal(first.apply(keep, draws), second.apply(keep, draws))
    attributions = torch.randn(inputs.shape)
    assert torch.equal(first.pool(attributions), second.pool(attributions))


def test_only_rebuildable_classes_are_built():
    for path in ("os.system", "torch.nn.Linear", "not.there", "pear_lightning.masking.Missing"):
        with pytest.raises(ValueError, match="class_path must name a class"):
            rebuild({"class_path": path, "init_args": {}})
    with pytest.raises(TypeError, match="value must be plain"):
        recipe_of(nn.Linear(2, 2))

    class Forgetful(Rebuildable):
        def __init__(self, size: int) -> None:
            self.other = size

    with pytest.raises(TypeError, match="no attribute 'size'"):
        recipe_of(Forgetful(3))


def test_images_and_texts():
    network = ExplainerTransformer(PatchTokens(4, (8, 12), 2, 8), 1, 2)
    masker = PatchMasker(4, (8, 12))
    explainer = AmortizedExplainer(network, masker)
    attributions = explainer.attributions(IMAGES)
    assert attributions.shape == IMAGES.shape
    torch.testing.assert_close(masker.pool(attributions), network.eval()(IMAGES))

    masker, ids = MASKERS["tokens"]
    mask = (ids != 0).long()
    texts = AmortizedExplainer(
        ExplainerTransformer(TextTokens(20, n_tokens=6, dim=8), 1, 2), masker
    )
    model = nn.Sequential(nn.Embedding(20, 4), nn.Flatten(), nn.Linear(16, 2))

    def forward(ids, attention_mask):
        return model(ids)

    _, (found,) = explain(forward, ids, 0, [texts], forward_kwargs={"attention_mask": mask})
    assert ((found != 0) == masker.bind(ids, {"attention_mask": mask}).present).all()
    _, (alone,) = explain(forward, ids[1:], 0, [texts], forward_kwargs={"attention_mask": mask[1:]})
    torch.testing.assert_close(alone, found[1:])
    # a compiled network gets the attention mask, too
    compiled = AmortizedExplainer(torch.compile(texts.network, backend="eager"), masker)
    batch = {"input_ids": ids, "attention_mask": mask}
    torch.testing.assert_close(compiled.attributions(batch), found)


def test_a_module_gives_the_model_the_attention_mask():
    """Side inputs are those of the model with its mask, called directly and from a loader."""
    torch.manual_seed(0)
    masker = TokenMasker(4, pad_token_id=0)
    network = ExplainerTransformer(TextTokens(20, n_tokens=6, dim=8), 1, 2, side_channels=1)
    model = DeepFaith(TransformerTextClassifier(20, 2, max_tokens=6), network, masker,
                      side=["removals"]).eval()  # fmt: skip
    ids = torch.tensor([[5, 6, 7, 8, 9], [9, 10, 0, 0, 0]])
    batch = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    given = model(ids, attention_mask=batch["attention_mask"])
    found = model.explainer.attributions(batch, forward=model.target_model)
    torch.testing.assert_close(given, found)


def test_the_training_mean_is_fitted_once():
    explainer = AmortizedExplainer(nn.Linear(4, 4), ColumnMasker(4, baseline="mean"))
    assert explainer.awaits_training_data
    with pytest.raises(RuntimeError, match="must be fitted"):
        explainer.attributions(torch.rand(2, 4))
    explainer.fit_reference(torch.ones(4), torch.rand(5, 4))
    assert not explainer.awaits_training_data
    inputs = torch.rand(2, 4)
    inputs[0, 1] = 1
    assert (explainer.attributions(inputs) == 0).nonzero().tolist() == [[0, 1]]


def test_side_inputs_are_the_gradient_and_the_single_removals():
    model = nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 3))
    inputs, target = torch.randn(4, 5), torch.tensor([0, 2, 1, 0])
    masker = ColumnMasker(5, baseline=0.3)
    batch = Batch(inputs, target)
    scorer = Scorer(model, batch, resolve_output("margin"))
    found = side_inputs(["gradient", "removals"], scorer, masker.bind(inputs))
    points = inputs.clone().requires_grad_()
    model.eval()
    scorer.evaluate(points[None])[0].sum().backward()
    _, (removals,) = explain(model, inputs, target, [Occlusion(masker)], output="margin")
    for values, expected in zip(found.unbind(-1), (points.grad, removals), strict=True):
        scaled = expected / expected.abs().amax(dim=1, keepdim=True)
        torch.testing.assert_close(values, scaled, atol=1e-5, rtol=1e-4)


def test_bad_arguments():
    with pytest.raises(TypeError, match="network must be"):
        AmortizedExplainer(lambda x: x, ColumnMasker(3))
    with pytest.raises(TypeError, match="masker must be"):
        AmortizedExplainer(nn.Linear(3, 3), 3)
    with pytest.raises(ValueError, match="explained must be one of"):
        AmortizedExplainer(nn.Linear(3, 3), ColumnMasker(3), explained="label")
    with pytest.raises(ValueError, match="network must return scores"):
        AmortizedExplainer(nn.Linear(3, 2), ColumnMasker(3)).attributions(torch.rand(2, 3))
    with pytest.raises(ValueError, match="forward must be the explained model"):
        AmortizedExplainer(
            ExplainerTransformer(PatchTokens(4, 8, 1, 8), 1, 2, side_channels=1),
            PatchMasker(4),
            side=["gradient"],
        ).attributions(torch.rand(1, 1, 8, 8))


def test_other_checkpoints_are_refused(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="path must be a checkpoint of a module"):
        AmortizedExplainer.load_from_checkpoint(tmp_path / "other.ckpt")


def test_calls_without_the_model_name_the_method_that_takes_tensors():
    explainer = AmortizedExplainer(ExplainerMLP(5, num_classes=2), ColumnMasker(5))
    rows = torch.rand(3, 5)
    for arguments in ((rows,), (rows, torch.zeros(3).long())):
        with pytest.raises(TypeError, match=r"got Tensor; .* use attributions\(inputs\)"):
            explainer(*arguments)
    with pytest.raises(ValueError, match=r"got None; use attributions\(\(inputs, classes\)\)"):
        explainer.attributions(rows)
    with pytest.raises(TypeError, match=r"got None; .* AmortizedExplainer.attributions\(inputs\)"):
        explain(None, rows, 0, [explainer])
