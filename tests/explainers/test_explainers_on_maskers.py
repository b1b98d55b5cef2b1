"""KernelShap, Lime and Occlusion on patches, segments, tokens and groups of columns."""

import warnings

import pytest
import torch
from torch import nn

from pear_lightning.explainers import (
    Gradient,
    KernelShap,
    Lime,
    Occlusion,
    RandomAttributions,
    Scorer,
    explain,
    lime,
)
from pear_lightning.masking import (
    ColumnMasker,
    GaussianNoise,
    PatchMasker,
    SegmentMasker,
    TokenMasker,
)
from pear_lightning.scoring import Batch, BernoulliLaw, ShapleyLaw
from pear_lightning.scoring.outputs import logit
from tests.reference import shapley

SEGMENTS = torch.tensor([[[0, 0, 1], [2, 2, 1]], [[0, 0, 0], [3, 3, 3]], [[0, 1, 2], [3, 4, 5]]])
SEGMENTS = torch.cat([SEGMENTS, SEGMENTS.flip(2)])[:5]
IDS = torch.tensor(
    [[1, 5, 6, 7, 8, 2], [1, 5, 2, 0, 0, 0], [1, 9, 5, 2, 0, 0], [1, 6, 8, 9, 2, 0],
     [1, 9, 9, 9, 9, 2]]
)  # fmt: skip
MASK = (IDS != 0).long()
SPECIAL = (IDS < 3).long()


class TextModel(nn.Module):
    """Ids or embeddings to logits, with interactions of neighbours; padding has no say."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.body, self.head = nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, inputs, attention_mask=None):
        embeddings = inputs if inputs.is_floating_point() else self.embedding(inputs)
        there = 1.0 if attention_mask is None else attention_mask[..., None]
        neighbours = torch.cat([embeddings[:, :-1], embeddings[:, 1:]], dim=2)
        hidden = self.body(neighbours).tanh()
        hidden = hidden * (there if attention_mask is None else there[:, 1:])
        return self.head(hidden.sum(1))


def vision():
    return nn.Sequential(nn.Conv2d(2, 4, 2), nn.GELU(), nn.Flatten(), nn.Linear(8, 2))


def table():
    return nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 2))


# model, inputs, masker, forward_kwargs, masker_kwargs
def columns():
    return table(), torch.randn(5, 6), ColumnMasker(6, [[0, 3], [1, 2]], baseline=0.3), {}, {}


def patches():
    return vision(), torch.randn(5, 2, 2, 3), PatchMasker((1, 2), baseline="own_mean"), {}, {}


def segments():
    return vision(), torch.randn(5, 2, 2, 3), SegmentMasker(), {}, {"segments": SEGMENTS}


def noisy():
    masker = PatchMasker(1, baseline="gaussian")
    return vision(), torch.randn(5, 2, 2, 3), masker, {}, {}


def ids():
    masker = TokenMasker(3, special_token_ids=[1, 2])
    return TextModel(), IDS, masker, {"attention_mask": MASK}, {}


def embeddings():
    model = TextModel()
    inputs = model.embedding(IDS).detach()
    masker = TokenMasker(baseline=torch.rand(4))
    return model, inputs, masker, {"attention_mask": MASK}, {"special_tokens_mask": SPECIAL}


EVERYWHERE = pytest.mark.parametrize(
    "problem", [columns, patches, segments, noisy, ids, embeddings]
)
RAGGED = pytest.mark.parametrize("problem", [segments, ids, embeddings])


def rows(kwargs, chosen):
    return {name: value[chosen] for name, value in kwargs.items()}


def explained(explainer, problem, chosen=slice(None), **more):
    """Attributions, and the saliency that the masker pools them to."""
    model, inputs, masker, forward_kwargs, masker_kwargs = problem
    forward_kwargs, masker_kwargs = rows(forward_kwargs, chosen), rows(masker_kwargs, chosen)
    inputs = inputs[chosen]
    _, (attributions,) = explain(
        model,
        inputs,
        1,
        [explainer],
        forward_kwargs=forward_kwargs,
        masker_kwargs=masker_kwargs,
        **more,
    )
    assert attributions.shape == inputs.shape
    assert attributions.dtype == torch.float32
    return attributions, masker.bind(inputs, forward_kwargs | masker_kwargs).pool(attributions)


def value_of(problem, row):
    """The worth of a coalition of a sample's features, one copy at a time."""
    model, inputs, masker, forward_kwargs, masker_kwargs = problem
    chosen = slice(row, row + 1)
    kwargs = rows(forward_kwargs, chosen)
    bound = masker.bind(inputs[chosen], kwargs | rows(masker_kwargs, chosen))
    present = bound.present[0].nonzero().flatten().tolist()

    def value(coalition):
        keep = torch.zeros(1, 1, bound.n_features, dtype=torch.bool)
        keep[0, 0, [present[i] for i in coalition]] = True
        return float(model(bound.apply(keep)[:, 0], **kwargs)[0, 1].detach())

    return value, present


@pytest.mark.parametrize("problem", [columns, patches, segments, ids, embeddings])
def test_kernel_shap_gives_exact_shapley_values(problem):
    problem = problem()
    _, saliency = explained(KernelShap(64, masker=problem[2]), problem)
    for row in range(5):
        value, present = value_of(problem, row)
        expected = torch.zeros(saliency.shape[1])
        expected[present] = torch.tensor(shapley.shapley_by_subsets(value, len(present)))
        torch.testing.assert_close(saliency[row], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("problem", [columns, patches, segments, ids, embeddings])
def test_occlusion_leaves_one_out(problem):
    problem = problem()
    _, saliency = explained(Occlusion(problem[2]), problem)
    for row in range(5):
        value, present = value_of(problem, row)
        everyone = set(range(len(present)))
        expected = torch.zeros(saliency.shape[1])
        for i, feature in enumerate(present):
            expected[feature] = value(everyone) - value(everyone - {i})
        torch.testing.assert_close(saliency[row], expected, atol=1e-5, rtol=1e-4)


EXPLAINERS = {
    "shap": lambda masker: KernelShap(24, masker=masker, seed=1),
    "shap, few": lambda masker: KernelShap(6, masker=masker, seed=1, paired=False),
    "shap, drawn": lambda masker: KernelShap(40, masker=masker, seed=1, exhaustive=False),
    "lime": lambda masker: Lime(24, masker=masker, similarity="masks", seed=1),
    "lime, drawn": lambda masker: Lime(
        40, masker=masker, similarity="masks", seed=2, exhaustive=False, alpha=0
    ),
    "occlusion": Occlusion,
}
EACH = pytest.mark.parametrize("build", EXPLAINERS.values(), ids=EXPLAINERS.keys())


@EVERYWHERE
@EACH
def test_every_sample_is_explained_alone(problem, build):
    """Also where others have more features, or more coalitions than can be enumerated."""
    problem = problem()
    explainer = build(problem[2])
    together, _ = explained(explainer, problem)
    alone = [explained(explainer, problem, slice(i, i + 1))[0] for i in range(5)]
    torch.testing.assert_close(together, torch.cat(alone), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("problem", [columns, patches, segments, noisy, embeddings])
def test_similarity_is_the_cosine_of_copies_and_originals(problem):
    model, inputs, masker, forward_kwargs, masker_kwargs = problem()
    samples = Batch(inputs, torch.ones(5).long(), None, forward_kwargs, masker_kwargs)
    scorer = Scorer(model, samples, logit, 3)
    explainer = Lime(10, masker=masker, seed=0)
    game = explainer.game(scorer, inputs)
    keep, _ = explainer._masks(game)
    cosines = lime._cosines(game, keep, keep.double())
    copies = game.copy_set(keep).copies(torch.arange(len(keep)))
    expected = torch.cosine_similarity(copies.flatten(2), inputs.flatten(1)[None], dim=2)
    torch.testing.assert_close(cosines.float(), expected)
    together, _ = explained(explainer, (model, inputs, masker, forward_kwargs, masker_kwargs))
    alone = [
        explained(explainer, (model, inputs, masker, forward_kwargs, masker_kwargs),
                  slice(i, i + 1))[0]
        for i in range(5)
    ]  # fmt: skip
    torch.testing.assert_close(together, torch.cat(alone), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
@EACH
def test_padding_changes_nothing(build, side):
    model, masker = TextModel(), TokenMasker(3, special_token_ids=[1, 2])
    text, padding = IDS[:1], torch.zeros(1, 4).long()
    padded = torch.cat([text, padding] if side == "right" else [padding, text], dim=1)
    there = slice(0, 6) if side == "right" else slice(4, 10)

    def forward(inputs, attention_mask):
        # without the neighbours' interaction, which the padding on the left would take part in
        hidden = model.embedding(inputs).cumsum(2).tanh() * attention_mask[..., None]
        return model.head(hidden.sum(1).repeat(1, 2).square())

    short, long = (
        explain(forward, x, 1, [build(masker)], forward_kwargs={"attention_mask": (x != 0).long()})
        for x in (text, padded)
    )
    torch.testing.assert_close(long[1][0][:, there], short[1][0], atol=2e-5, rtol=1e-4)
    assert (long[1][0][padded == 0] == 0).all()


@RAGGED
@EACH
def test_what_is_no_feature_has_no_attribution(problem, build):
    problem = problem()
    _, inputs, masker, forward_kwargs, masker_kwargs = problem
    attributions, saliency = explained(build(masker), problem)
    bound = masker.bind(inputs, forward_kwargs | masker_kwargs)
    assert not saliency[~bound.present].any()
    assert not attributions[(bound.feature_map < 0).expand(inputs.shape)].any()
    assert attributions.abs().sum() > 0


@EVERYWHERE
@EACH
@pytest.mark.parametrize("points_per_pass", [1, 5])
def test_chunks_change_nothing(problem, build, points_per_pass):
    problem = problem()
    explainer = build(problem[2])
    expected, _ = explained(explainer, problem)
    result, _ = explained(explainer, problem, points_per_pass=points_per_pass)
    torch.testing.assert_close(result, expected, atol=2e-5, rtol=1e-4)


@EACH
def test_memory_is_bounded_by_points_per_pass(build):
    seen = []

    def model(inputs):
        seen.append(len(inputs))
        return inputs.flatten(1).sum(1)

    explainer = build(PatchMasker(1, baseline="uniform"))
    explain(model, torch.randn(3, 2, 4, 5), None, [explainer], points_per_pass=4)
    assert max(seen) <= 12


@pytest.mark.parametrize("problem", [columns, segments, ids])
@pytest.mark.parametrize("n_samples", [2, 5, 40])
@pytest.mark.parametrize("seed", [None, 2])
def test_shapley_values_sum_to_the_difference_from_nothing(problem, n_samples, seed):
    problem = problem()
    explainer = KernelShap(n_samples, masker=problem[2], seed=seed, exhaustive=n_samples != 40)
    _, saliency = explained(explainer, problem)
    for row in range(5):
        value, present = value_of(problem, row)
        difference = value(set(range(len(present)))) - value(set())
        assert abs(float(saliency[row].sum()) - difference) < 1e-5


def test_many_draws_approach_exact_values():
    """Where samples differ in their numbers of features."""
    for problem in (segments(), ids()):
        _, exact = explained(KernelShap(64, masker=problem[2]), problem)
        for paired in (True, False):
            drawn = KernelShap(4000, masker=problem[2], exhaustive=False, paired=paired)
            _, result = explained(drawn, problem)
            assert (result - exact).norm() < 0.03 * exact.norm()
        enumerated = Lime(64, masker=problem[2], alpha=0, similarity="masks")
        drawn = Lime(4000, masker=problem[2], alpha=0, similarity="masks", exhaustive=False)
        _, exact = explained(enumerated, problem)
        _, result = explained(drawn, problem)
        assert (result - exact).norm() < 0.05 * exact.norm()


@pytest.mark.parametrize("n_samples", [12, 64, 100])
@pytest.mark.parametrize("seed", [None, 4])
def test_a_masker_of_single_columns_is_no_masker(n_samples, seed):
    """The same numbers where they are drawn from torch or not drawn at all."""
    model, inputs = table(), torch.randn(5, 6)
    masker = ColumnMasker(6, baseline=0.3)
    pairs = [
        (KernelShap(n_samples, 0.3, seed=seed), KernelShap(n_samples, masker=masker, seed=seed)),
        (Lime(n_samples, 0.3, seed=seed), Lime(n_samples, masker=masker, seed=seed)),
        (Occlusion(baseline=0.3), Occlusion(masker)),
    ]
    for plain, masked in pairs:
        if n_samples == 12 and seed is not None and not isinstance(plain, Occlusion):
            continue  # other coalitions: those of a masker do not depend on the number of features
        torch.manual_seed(7)
        expected = explain(model, inputs, 1, [plain])[1][0]
        torch.manual_seed(7)
        torch.testing.assert_close(explain(model, inputs, 1, [masked])[1][0], expected)


@pytest.mark.parametrize("problem", [columns, segments, noisy, embeddings])
def test_linear_models_give_their_terms(problem):
    """Fixed by the data, so that all three agree."""
    _, inputs, masker, forward_kwargs, masker_kwargs = problem()
    masker = masker.with_baseline("zeros")
    weight = torch.randn(inputs[0].numel())

    def model(x, **_):
        score = x.flatten(1) @ weight
        return torch.stack([score, 3 - score], dim=1)

    problem = (model, inputs, masker, forward_kwargs, masker_kwargs)
    bound = masker.bind(inputs, forward_kwargs | masker_kwargs)
    expected = bound.pool(-inputs * weight.view(inputs.shape[1:]))
    for explainer in (
        KernelShap(16, masker=masker, seed=0, exhaustive=False),
        Lime(40, masker=masker, seed=0, alpha=0),
        Occlusion(masker),
    ):
        _, saliency = explained(explainer, problem)
        torch.testing.assert_close(saliency, expected, atol=1e-4, rtol=1e-4)


class TestCaptum:
    """Captum's methods with the same features as a feature mask."""

    @staticmethod
    def case():
        images = torch.randn(4, 2, 2, 3)
        labels = torch.tensor([[0, 0, 1], [2, 3, 1]])
        return vision(), images, labels, torch.tensor([0, 1, 1, 0])

    @staticmethod
    def ours(explainer, model, images, target, masker):
        return masker.pool(explain(model, images, target, [explainer])[1][0])

    @staticmethod
    def theirs(attributions, labels):
        """Captum repeats a feature's value on all its elements."""
        return torch.stack([attributions[:, 0, labels == i][:, 0] for i in range(4)], dim=1)

    def test_occlusion_is_its_feature_ablation(self):
        attr = pytest.importorskip("captum.attr")
        model, images, labels, target = self.case()
        expected = attr.FeatureAblation(model).attribute(
            images, baselines=0.4, target=target, feature_mask=labels[None, None]
        )
        masker = SegmentMasker(labels, baseline=0.4)
        result = self.ours(Occlusion(masker), model, images, target, masker)
        torch.testing.assert_close(result, self.theirs(expected, labels).detach())

    def test_kernel_shap_of_all_coalitions_is_its_shapley_values(self):
        attr = pytest.importorskip("captum.attr")
        model, images, labels, target = self.case()
        expected = attr.ShapleyValues(model).attribute(
            images, baselines=0.4, target=target, feature_mask=labels[None, None]
        )
        masker = SegmentMasker(labels, baseline=0.4)
        result = self.ours(KernelShap(16, masker=masker), model, images, target, masker)
        expected = self.theirs(expected, labels).detach()
        torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)

    @pytest.mark.parametrize("method", ["KernelShap", "Lime"])
    def test_on_the_same_coalitions(self, method, monkeypatch):
        attr = pytest.importorskip("captum.attr")
        from captum._utils.models.linear_model import SkLearnLasso

        model, images, labels, target = self.case()
        masker, n_samples = SegmentMasker(labels, baseline=0.4), 15
        if method == "Lime":
            lasso = SkLearnLasso(alpha=1e-3, tol=1e-6, max_iter=100_000)
            similarity = attr._core.lime.get_exp_kernel_similarity_function("cosine", 0.8)
            captums = attr.Lime(model, lasso, similarity)
            explainer = Lime(n_samples, kernel_width=0.8, alpha=1e-3, masker=masker)
        else:
            captums, explainer = attr.KernelShap(model), KernelShap(n_samples, masker=masker)
        masks, perturb = [], captums.perturb_func
        if method == "Lime":

            def recorded(original, **kwargs):
                masks.append(perturb(original, **kwargs))
                return masks[-1]

        else:

            def recorded(original, **kwargs):
                for mask in perturb(original, **kwargs):
                    masks.append(mask)
                    yield mask

        monkeypatch.setattr(captums, "perturb_func", recorded)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "You are providing multiple inputs", UserWarning)
            expected = captums.attribute(
                images, baselines=0.4, target=target, feature_mask=labels[None, None],
                n_samples=n_samples,
            )  # fmt: skip
        keep = torch.cat(masks).bool().unflatten(0, (4, n_samples)).movedim(1, 0)
        monkeypatch.setattr(BernoulliLaw, "draw", lambda *_args: keep)
        monkeypatch.setattr(ShapleyLaw, "draw", lambda *_args: keep[2:])
        expected = self.theirs(expected, labels)
        result = self.ours(explainer, model, images, target, masker)
        tolerance = 2e-3 * float(expected.abs().max())  # Captum's end points have weight 1e6
        torch.testing.assert_close(result, expected, atol=tolerance, rtol=0)


class TestRandomBaselines:
    def test_explanations_do_not_change_from_call_to_call(self):
        problem = noisy()
        for explainer in (KernelShap(masker=problem[2], seed=0), Occlusion(problem[2])):
            assert not explainer.stochastic
            first, _ = explained(explainer, problem)
            assert torch.equal(explained(explainer, problem)[0], first)

    def test_draws_are_averaged(self):
        inputs = torch.randn(5, 6)
        masker = ColumnMasker(6, baseline="gaussian")
        result = explain(lambda x: x.square().sum(1), inputs, None, [Occlusion(masker, n_draws=7)])
        keep = torch.zeros(5, 7, 6, dtype=torch.bool)
        noise = masker.apply(inputs, keep)
        expected = inputs.square() - noise.square().mean(1)
        torch.testing.assert_close(result[1][0], expected, atol=1e-5, rtol=1e-4)
        many = Occlusion(masker.with_baseline(GaussianNoise(std=0.5)), n_draws=3000)
        (attributions,) = explain(lambda x: x.square().sum(1), inputs, None, [many])[1]
        torch.testing.assert_close(attributions, inputs.square() - 0.25, atol=0.05, rtol=0)

    def test_draws_of_a_fixed_baseline_are_refused(self):
        with pytest.raises(ValueError, match=r"n_draws must be 1 .* got 2; .* random baseline"):
            Occlusion(ColumnMasker(3), n_draws=2)
        with pytest.raises(ValueError, match="n_draws must be at least 1"):
            Occlusion(n_draws=0)


@pytest.mark.parametrize("explainer", [KernelShap, Lime, Occlusion])
class TestBaselines:
    def test_a_baseline_beside_a_masker_is_refused(self, explainer):
        with pytest.raises(ValueError, match="got baseline='zeros' with masker=ColumnMas"):
            explainer(masker=ColumnMasker(3), baseline="zeros")

    def test_training_data_reach_the_masker(self, explainer):
        inputs, mean = torch.randn(4, 6), torch.randn(6)
        model, masker = table(), ColumnMasker(6, [[0, 1]], baseline="mean")
        built = explainer(masker=masker)
        assert built.uses_training_data
        assert built.awaits_training_data
        with pytest.raises(RuntimeError, match="baseline='mean'"):
            explain(model, inputs, 1, [built])
        built.fit_reference(mean, torch.empty(0, 6))
        assert not built.awaits_training_data
        expected = explain(model, inputs, 1, [explainer(masker=masker.with_baseline(mean))])[1][0]
        torch.testing.assert_close(explain(model, inputs, 1, [built])[1][0], expected)
        fresh = explainer(masker=ColumnMasker(6, [[0, 1]], baseline="mean"))
        fresh.load_state_dict(built.state_dict())
        torch.testing.assert_close(explain(model, inputs, 1, [fresh])[1][0], expected)

    def test_without_a_masker_the_baseline_is_zeros(self, explainer):
        inputs = torch.randn(2, 3)
        results = [
            explain(lambda x: x.sum(1), inputs, None, [each])[1][0]
            for each in (explainer(), explainer(baseline="zeros"), explainer(baseline=None))
        ]
        assert torch.equal(results[0], results[1])
        assert torch.equal(results[0], results[2])

    def test_a_masker_is_one(self, explainer):
        for wrong in (ColumnMasker, "patches"):
            with pytest.raises(TypeError, match="masker must be a Masker"):
                explainer(masker=wrong)

    def test_repr_names_the_masker(self, explainer):
        assert "masker=ColumnMasker(n_columns=3" in repr(explainer(masker=ColumnMasker(3)))


class TestTokenIds:
    def test_explainers_of_gradients_refuse_them(self):
        model, inputs, masker, forward_kwargs, _ = ids()
        explainers = [Gradient(), KernelShap(), Occlusion(masker)]
        with pytest.raises(TypeError, match=r"by Gradient, KernelShap, got .*TokenMasker"):
            explain(model, inputs, 1, explainers, forward_kwargs=forward_kwargs)

    def test_several_explainers_at_once(self):
        model, inputs, masker, forward_kwargs, _ = ids()
        logits, attributions = explain(
            model,
            inputs,
            1,
            {"shap": KernelShap(masker=masker), "random": RandomAttributions()},
            forward_kwargs=forward_kwargs,
        )
        torch.testing.assert_close(logits, model(inputs, **forward_kwargs))
        for each in attributions.values():
            assert each.dtype == torch.float32
            assert each.shape == IDS.shape

    def test_lime_compares_masks(self):
        model, inputs, masker, forward_kwargs, _ = ids()
        with pytest.raises(TypeError, match="similarity='masks'"):
            explain(model, inputs, 1, [Lime(masker=masker)], forward_kwargs=forward_kwargs)

    def test_removed_ids_equal_removed_embeddings(self):
        model, inputs, masker, forward_kwargs, _ = ids()
        on_embeddings = TokenMasker(baseline=model.embedding.weight[3].detach())
        of_ids, of_embeddings = (
            explain(model, x, 1, [KernelShap(masker=m)], forward_kwargs=forward_kwargs,
                    masker_kwargs={"special_tokens_mask": SPECIAL})[1][0]
            for x, m in ((inputs, masker), (model.embedding(inputs).detach(), on_embeddings))
        )  # fmt: skip
        torch.testing.assert_close(of_embeddings.sum(2), of_ids, atol=1e-5, rtol=1e-4)


@EACH
def test_inference_mode_and_no_gradients(build):
    problem = patches()
    expected, _ = explained(build(problem[2]), problem)
    assert not expected.requires_grad
    with torch.inference_mode():
        result, _ = explained(build(problem[2]), problem)
    torch.testing.assert_close(result, expected)


@EACH
def test_half_precision_and_empty_batches(build):
    model, inputs, masker, *_ = columns()
    (half,) = explain(model.bfloat16(), inputs.bfloat16(), 1, [build(masker)])[1]
    assert half.dtype == torch.float32
    assert half.isfinite().all()
    (empty,) = explain(model.float(), inputs[:0], 1, [build(masker)])[1]
    assert empty.shape == (0, 6)


def test_samples_differ_in_their_masks_only_without_a_seed():
    model, inputs, masker, *_ = columns()
    inputs = inputs[:1].expand(5, -1)
    for explainer in (KernelShap(8, masker=masker, seed=3), Lime(8, masker=masker, seed=3)):
        (same,) = explain(model, inputs, 1, [explainer])[1]
        torch.testing.assert_close(same, same[:1].expand(5, -1))
        assert not explainer.stochastic
    (fresh,) = explain(model, inputs, 1, [KernelShap(8, masker=masker)])[1]
    assert not torch.allclose(fresh, fresh[:1].expand(5, -1))


def test_segments_are_checked_by_row():
    model, inputs, masker, *_ = segments()
    with pytest.raises(ValueError, match=r"masker_kwargs\['segments'\] must have one row"):
        explain(model, inputs, 1, [Occlusion(masker)], masker_kwargs={"segments": SEGMENTS[:3]})


@pytest.mark.gpu
@EVERYWHERE
@EACH
def test_gpu_gives_the_same_values(problem, build):
    """The same coalitions and the same noise, too."""
    model, inputs, masker, *kwargs = problem()
    expected, _ = explained(build(masker), (model, inputs, masker, *kwargs))
    on_gpu = [{name: value.cuda() for name, value in each.items()} for each in kwargs]
    explainer = build(masker).cuda()
    result, _ = explained(explainer, (model.cuda(), inputs.cuda(), masker, *on_gpu))
    assert result.is_cuda
    torch.testing.assert_close(result.cpu(), expected, atol=1e-4, rtol=1e-3)
