"""R-Drop: its law, its settings, and the way of a method's objective through a training."""

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import regularize
from pernodedrop.methods.r_drop import symmetric_divergence
from pernodedrop.objectives import Step
from search_spaces import InvalidDefinition, TrialConfig, parse_definition
from tests.search_spaces.studies import categorical, real, space
from tests.tasks.test_seams import two_passes, with_seams
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import curves, training
from workers.tasks import Seams


def r_drop(**extra: float | str) -> TrialConfig:
    return TrialConfig("r_drop", units=12, batch_size=16, extra=extra)


def test_without_its_weight_it_is_the_mean_of_two_noisy_passes() -> None:
    found = curves(training(Circles(), r_drop(alpha=0.0)))
    task = with_seams(Seams(objective=two_passes))
    assert found == curves(training(task, TrialConfig("dropout", units=12, batch_size=16)))


def test_its_weight_and_its_noise_are_searched() -> None:
    plain = curves(training(Circles(), r_drop()))
    assert plain == curves(training(Circles(), r_drop(alpha=1.0, noise="dropout")))
    assert plain != curves(training(Circles(), r_drop(alpha=2.0)))
    assert plain != curves(training(Circles(), r_drop(noise="pernodedrop")))


@pytest.mark.parametrize("outputs", ["softmax", "sigmoid", "squared"])
def test_small_noise_has_its_explicit_effect_one_plus_alpha_times(outputs: str) -> None:
    """E (KL_12 + KL_21) / 2 = 2 R to second order, R the explicit effect, for labels that the model itself draws."""
    noise = 0.01 * torch.randn(20_000, 1, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = torch.cat([noise, -noise])  # the first order is exactly 0
    logits = torch.randn(1, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    match outputs:
        case "softmax":
            effect = (logits + noise).logsumexp(-1).mean() - logits.logsumexp(-1).mean()  # labels: linear in the logits
        case "sigmoid":
            effect = (nn.functional.softplus(logits + noise) - nn.functional.softplus(logits)).mean()
        case _:
            effect = (noise**2).mean()
    other = noise[torch.randperm(len(noise), generator=torch.Generator().manual_seed(2))]
    divergence = symmetric_divergence(logits + noise, logits + other, outputs)  # type: ignore[arg-type]
    assert (divergence / effect).item() == pytest.approx(2.0, rel=0.03)


def test_a_model_alone_trains_by_the_objective_of_its_handle() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    handle = regularize(model, "r_drop", "0", options={"alpha": 5.0})
    x, y = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    assert handle.objective is not None

    def loss(outputs: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, y)

    handle.objective(Step(lambda: model(x), loss, "softmax", samples=6, done=0.0)).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with pytest.raises(ValueError, match="r_drop needs to know what the model's outputs are"):
        handle.objective(Step(lambda: model(x), loss, None, samples=6, done=0.0))


def test_what_it_does_not_have_is_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"'alhpa' is no option of r_drop: did you mean alpha?"):
        regularize(model, "r_drop", options={"alhpa": 1.0})
    with pytest.raises(ValueError, match="'alpha' is no option of dropout: it has none"):
        regularize(model, "dropout", options={"alpha": 1.0})
    with pytest.raises(ValueError, match=r"noise must be one of dropout, .*, got 'laplace'"):
        regularize(model, "r_drop", options={"noise": "laplace"})
    handle = regularize(model, "r_drop", options={"alpha": -1.0})
    with pytest.raises(ValueError, match=r"alpha must be finite and at least 0, got -1.0"):
        handle.objective  # noqa: B018
    with pytest.raises(ValueError, match=r"the objective of task .* replaces that of r_drop"):
        training(with_seams(Seams(objective=two_passes)), r_drop())


def test_a_study_searches_a_methods_options() -> None:
    variants = {
        "regularizer": categorical("dropout", "r_drop"),
        "alpha": real(0.1, 5.0, when={"regularizer": "r_drop"}),
    }
    parse_definition(space(**variants))
    with pytest.raises(InvalidDefinition, match=r"search_space.alpha.low must be at least 0, got -1.0"):
        parse_definition(space(**{**variants, "alpha": real(-1.0, 5.0)}))
    with pytest.raises(
        InvalidDefinition, match=r'alpha is a setting of "r_drop".*, which the study does not search: remove it'
    ):
        parse_definition(space(regularizer=categorical("dropout", "none"), alpha=real(0.1, 5.0)))
    assert TrialConfig.from_params({"regularizer": "r_drop", "alpha": 2.0, "noise": "pernodedrop"}).variant == (
        "r_drop-pernodedrop"
    )
