import doctest
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pernodedrop.uncertainty
from pernodedrop import joint_nll, mc_predict, pass_correlation, regularize, uncertainty_of, variance_of
from pernodedrop.uncertainty import AT_ONCE, Kind
from tests.layers.evidence import ERRORS

KINDS: tuple[Kind, ...] = ("softmax", "sigmoid")
PASSES = 800
INPUTS, CLASSES = 8, 4


def logits(*shape: int, seed: int = 0, scale: float = 2.0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(regularizer: str) -> nn.Sequential:
    """Wide noise in front of four classes; the same weights for every regularizer."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, CLASSES)).requires_grad_(False)
    model[2].weight *= 15.0
    regularize(model, regularizer, "2", drop_rate=0.5)
    return model.eval()


def inputs() -> Tensor:
    """Alike enough that a mask moves all of them in the same direction."""
    one, each = torch.randn(1, 5, generator=torch.Generator().manual_seed(1)), logits(INPUTS, 5, seed=2, scale=0.5)
    return one + each.float()


@pytest.fixture(scope="module")
def draws() -> dict[str, Tensor]:
    """The outputs (S, N, C) of as many calls of both kinds of masks."""
    torch.manual_seed(3)
    return {name: mc_predict(network(name), inputs(), PASSES) for name in ("pernodedrop", "dropconnect")}


def entropy(p: np.ndarray) -> np.ndarray:
    return -np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0).sum(-1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_what_its_formula_says_in_plain_probabilities(kind: Kind) -> None:
    outputs = logits(6, 9, 5)
    wide = outputs.numpy()
    if kind == "softmax":
        p = (np.exp(wide) / np.exp(wide).sum(-1, keepdims=True))[:, :, None]  # S, N, decisions, outcomes
    else:
        yes = 1 / (1 + np.exp(-wide))
        p = np.stack([1 - yes, yes], axis=-1)
    found = uncertainty_of(outputs, kind)
    mean, aleatoric = p.mean(0), entropy(p).mean(0).sum(-1)
    total = entropy(mean).sum(-1)
    without = np.mean([entropy(np.delete(p, s, axis=0).mean(0)).sum(-1) for s in range(6)], axis=0)
    np.testing.assert_allclose(found.total, total, rtol=1e-12)
    np.testing.assert_allclose(found.aleatoric, aleatoric, rtol=1e-12)
    np.testing.assert_allclose(found.plug_in, total - aleatoric, rtol=1e-11)
    np.testing.assert_allclose(found.epistemic, 6 * total - 5 * without - aleatoric, rtol=1e-11)
    expected = np.log(mean[:, 0] if kind == "softmax" else mean[..., 1])
    np.testing.assert_allclose(found.log_probabilities, expected, rtol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_of_entropy_and_of_variance_add_up(kind: Kind) -> None:
    outputs = logits(7, 50, 5)
    found, variance = uncertainty_of(outputs, kind), variance_of(outputs, kind)
    torch.testing.assert_close(found.total, found.aleatoric + found.plug_in, rtol=0, atol=1e-12)
    torch.testing.assert_close(variance.total, variance.aleatoric + variance.epistemic, rtol=0, atol=1e-12)
    assert (found.plug_in > 0).all()
    assert (variance.epistemic > 0).all()


def test_the_mean_prediction_is_likelier_than_the_passes_are_on_average(draws: dict[str, Tensor]) -> None:
    outputs, targets = draws["pernodedrop"][:20], torch.arange(INPUTS) % CLASSES
    of_mean = -uncertainty_of(outputs, "softmax").log_probabilities.gather(1, targets[:, None])[:, 0]
    of_passes = -outputs.double().log_softmax(-1).gather(2, targets.expand(20, -1)[..., None])[..., 0].mean(0)
    assert (of_mean <= of_passes).all()
    assert of_mean.mean() < 0.8 * of_passes.mean()


@pytest.mark.parametrize("kind", KINDS)
def test_one_pass_and_passes_that_agree_know_nothing_of_the_noise(kind: Kind) -> None:
    for outputs in (logits(1, 20, 5), logits(1, 20, 5).expand(9, -1, -1)):
        found = uncertainty_of(outputs, kind)
        assert not found.epistemic.any()
        assert not found.plug_in.any()
        torch.testing.assert_close(found.total, found.aleatoric)
        assert variance_of(outputs, kind).epistemic.max() < 1e-30


def test_probabilities_of_zero_and_one_are_no_trouble() -> None:
    certain = torch.tensor([[[1e5, 0.0, 0.0]], [[0.0, 1e5, 0.0]], [[0.0, 1e5, -torch.inf]]])
    found = uncertainty_of(certain, "softmax")
    expected = -(1 / 3 * np.log(1 / 3) + 2 / 3 * np.log(2 / 3))
    assert found.total.item() == pytest.approx(expected)
    assert found.aleatoric.item() == 0.0
    assert found.epistemic.item() == pytest.approx(3 * expected - 2 * (0 + np.log(2) + np.log(2)) / 3)
    assert found.log_probabilities[0, 2].item() < -1e4
    found = uncertainty_of(torch.tensor([[[torch.inf, -800.0]], [[-torch.inf, -800.0]]]), "sigmoid")
    assert found.total.item() == pytest.approx(np.log(2))
    assert found.log_probabilities[0].tolist() == pytest.approx([np.log(0.5), -800.0])
    tiny = uncertainty_of(torch.tensor([[[0.0, 60.0]], [[0.0, 62.0]]]), "softmax")
    p = (np.exp(-60.0) + np.exp(-62.0)) / 2
    assert tiny.total.item() == pytest.approx(p * (1 - np.log(p)), rel=1e-9)  # what double precision calls certainty


def test_many_inputs_are_taken_in_parts() -> None:
    outputs = logits(16, 9_000, 8).float()
    assert outputs.numel() > AT_ONCE
    whole, part = uncertainty_of(outputs, "softmax"), uncertainty_of(outputs[:, 8_000:8_300], "softmax")
    torch.testing.assert_close(whole.epistemic[8_000:8_300], part.epistemic)
    assert whole.log_probabilities.shape == (9_000, 8)
    assert uncertainty_of(outputs[:, :0], "softmax").total.shape == (0,)


def test_few_passes_know_too_little_and_the_jackknife_makes_up_for_it() -> None:
    """The bias falls as 1 / S: .65, .68, .69, .69, .68 are S times it at S = 2, 4, 8, 16, 64 in another network."""
    torch.manual_seed(4)
    one = inputs()[:1]
    outputs = mc_predict(network("pernodedrop"), one.expand(2**16, -1), 1)[0]  # a mask for each: as many passes
    truth = uncertainty_of(outputs[:, None], "softmax").plug_in.item()
    bias, corrected = {}, {}
    for passes in (2, 4, 8, 16, 64):
        found = uncertainty_of(outputs.reshape(-1, passes, CLASSES).transpose(0, 1), "softmax")
        bias[passes] = truth - found.plug_in.mean().item()
        corrected[passes] = truth - found.epistemic.mean().item()
    assert truth > 0.3
    for passes in (4, 8, 16, 64):
        assert passes * bias[passes] == pytest.approx(16 * bias[16], rel=0.1)
        assert abs(corrected[passes]) < 0.15 * bias[passes]
    assert abs(corrected[8]) < 0.005 * truth
    assert truth - 2 * (truth - bias[2]) == pytest.approx(corrected[2])  # of two passes it is S / (S - 1) times


def test_masks_of_their_own_and_shared_masks_have_one_law_for_each_input(draws: dict[str, Tensor]) -> None:
    own, shared = (draws[name].double().softmax(-1) for name in ("pernodedrop", "dropconnect"))
    errors = ((own.var(0) + shared.var(0)) / PASSES).sqrt()
    assert ((own.mean(0) - shared.mean(0)).abs() < ERRORS * errors).all()
    epistemic = [uncertainty_of(draws[name], "softmax").epistemic for name in ("pernodedrop", "dropconnect")]
    torch.testing.assert_close(*epistemic, rtol=0.1, atol=0)


def test_only_joint_predictions_tell_them_apart(draws: dict[str, Tensor]) -> None:
    own, shared = (pass_correlation(draws[name], "softmax").item() for name in ("pernodedrop", "dropconnect"))
    assert abs(own) < ERRORS / (PASSES * INPUTS) ** 0.5
    assert shared > 0.3
    targets = torch.full((INPUTS,), int(draws["dropconnect"].double().softmax(-1).mean((0, 1)).argmax()))
    together = {name: joint_nll(draws[name], targets, "softmax", size=INPUTS).item() for name in draws}
    alone = {name: joint_nll(draws[name], targets, "softmax", size=1).item() for name in draws}
    assert together["pernodedrop"] == pytest.approx(alone["pernodedrop"], rel=0.1)
    assert alone["dropconnect"] == pytest.approx(alone["pernodedrop"], rel=0.05)
    assert together["dropconnect"] < 0.75 * alone["dropconnect"]


def test_a_mean_over_inputs_that_share_their_masks_varies_more_from_prediction_to_prediction(
    draws: dict[str, Tensor],
) -> None:
    spread = {}
    for name, outputs in draws.items():
        means = [uncertainty_of(part, "softmax").epistemic.mean() for part in outputs.split(20)]
        spread[name] = torch.stack(means).std().item()
    assert spread["dropconnect"] > 1.3 * spread["pernodedrop"]


def test_repeating_the_batch_in_one_call_is_no_number_of_passes_for_a_shared_mask() -> None:
    x = inputs()
    for name, is_zero in (("dropconnect", True), ("pernodedrop", False)):
        model = network(name)
        tiled = mc_predict(model, x.repeat(20, 1), 1)[0].unflatten(0, (20, INPUTS))
        assert bool((uncertainty_of(tiled, "softmax").plug_in.abs() < 1e-6).all()) is is_zero
        assert (uncertainty_of(mc_predict(model, x, 20), "softmax").plug_in > 0.05).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_joint_likelihood_is_a_mean_of_products(kind: Kind) -> None:
    outputs = logits(5, 7, 3)
    targets = torch.arange(7) % 3 if kind == "softmax" else (logits(7, 3, seed=5) > 0).float()
    if kind == "softmax":
        of_truth = outputs.softmax(-1)[:, torch.arange(7), targets]
    else:
        of_truth = torch.where(targets > 0, outputs.sigmoid(), 1 - outputs.sigmoid()).prod(-1)
    generator = torch.Generator().manual_seed(6)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(6))
    groups = [of_truth[:, order[first : first + 3]].prod(1).mean().log() for first in (0, 3)]
    found = joint_nll(outputs, targets, kind, size=3, generator=generator)
    assert found.item() == pytest.approx(-sum(groups).item() / 2 / 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_correlation_is_the_mean_over_all_pairs(kind: Kind) -> None:
    outputs = logits(30, 5, 3) + logits(30, 1, 3, seed=7)  # a part that all inputs share
    outputs[:, 4] = outputs[0, 4]  # one that no pass moves counts in no pair
    p = (outputs.softmax(-1) if kind == "softmax" else outputs.sigmoid()).numpy()
    pairs = [(i, j, k) for i, j in itertools.combinations(range(4), 2) for k in range(3)]
    expected = np.mean([np.corrcoef(p[:, i, k], p[:, j, k])[0, 1] for i, j, k in pairs])
    assert pass_correlation(outputs, kind).item() == pytest.approx(expected)
    assert pass_correlation(outputs[:1], kind).isnan()


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        ((3, 4, 2), "squared", r'^kind must be "softmax" or "sigmoid", got \'squared\'$'),
        ((4, 2), "softmax", r"^outputs must be logits \(passes, inputs, classes\), got shape \(4, 2\)$"),
        ((0, 4, 2), "sigmoid", r"got shape \(0, 4, 2\)$"),
    ],
)
def test_what_is_no_set_of_logits_is_refused(shape, kind, message: str) -> None:
    outputs = torch.zeros(shape)
    figures = (uncertainty_of, variance_of, pass_correlation, lambda *args: joint_nll(*args[:1], outputs, *args[1:]))
    for figure in figures:
        with pytest.raises(ValueError, match=message):
            figure(outputs, kind)


def test_targets_and_groups_must_fit() -> None:
    with pytest.raises(ValueError, match=r"^targets must have shape \(4,\) for softmax, got \(4, 2\)$"):
        joint_nll(torch.zeros(3, 4, 2), torch.zeros(4, 2), "softmax", size=2)
    with pytest.raises(ValueError, match=r"^joint_nll needs groups of 1 to 4 inputs, .* got size 10$"):
        joint_nll(torch.zeros(3, 4, 2), torch.zeros(4), "softmax")


def test_the_example_runs() -> None:
    assert doctest.testmod(pernodedrop.uncertainty).attempted > 5
    assert doctest.testmod(pernodedrop.uncertainty).failed == 0


@pytest.mark.parametrize(
    ("targets", "kind", "message"),
    [
        (
            torch.tensor([0.7, 1.2, 0.0, 1.0]),
            "softmax",
            r"whole numbers for softmax, got torch\.float32: call",
        ),
        (torch.tensor([0, 1, 2, 0]), "softmax", "classes of 0 to 1 for softmax, got 0 to 2$"),
        (torch.tensor([0, -1, 1, 0]), "softmax", "classes of 0 to 1 for softmax, got -1 to 1$"),
        (torch.tensor([[0, 1], [254, 1], [0, 0], [1, 1]]), "sigmoid", "zeros and ones for sigmoid, got others"),
        (torch.full((4, 2), 0.7), "sigmoid", "zeros and ones for sigmoid, got others"),
    ],
)
def test_targets_that_name_no_label_are_refused(targets: Tensor, kind: Kind, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        joint_nll(torch.randn(3, 4, 2), targets, kind, size=2)


def test_labels_of_any_type_of_numbers_are_the_same() -> None:
    outputs, classes = torch.randn(3, 4, 2), torch.tensor([0, 1, 1, 0])
    labels = torch.stack([classes, 1 - classes], 1)
    for kind, whole, others in (
        ("softmax", classes, (classes.bool(), classes.to(torch.uint8))),
        ("sigmoid", labels, (labels.bool(), labels.float())),
    ):
        expected = joint_nll(outputs, whole, kind, size=4)  # type: ignore[arg-type]
        for other in others:
            torch.testing.assert_close(joint_nll(outputs, other, kind, size=4), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_complex_outputs_are_refused(kind: Kind) -> None:
    outputs = torch.randn(3, 4, 2, dtype=torch.complex64)
    for figure in (uncertainty_of, variance_of, pass_correlation):
        with pytest.raises(ValueError, match=r"outputs must be real logits, got torch\.complex64"):
            figure(outputs, kind)
