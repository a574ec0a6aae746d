"""A study searches how slowly PerNodeDrop's masks change over time, where its model has positions."""

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import PerNodeDropLinear, SharedNoiseLinear
from search_spaces import InvalidDefinition, TaskSpec, TrialConfig, parse_definition
from tests.search_spaces.studies import categorical, own, raw, real
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import curves, few_digits_of, training
from workers.training.model import model_of


def config(rho: float, **changes: object) -> TrialConfig:
    return TrialConfig(  # type: ignore[arg-type]
        "pernodedrop", batch_size=32, units=16, extra={"time_correlation": rho}, **changes
    )


def study(task: str, backbone: str | None, regularizer: str = "pernodedrop") -> dict[str, object]:
    options = {} if backbone is None else {"options": {"backbone": backbone}}
    searched = {"regularizer": categorical(regularizer), "time_correlation": real(-0.3, 1.0)}
    return raw(task={"name": task, "epochs": 8, **options}, search_space=searched)


@pytest.mark.parametrize("backbone", ["lstm", "transformer"])
def test_it_acts_over_the_positions_of_a_backbone(backbone: str) -> None:
    task = few_digits_of(backbone)
    torch.manual_seed(0)
    model = model_of(task, config(0.9))[0].train()
    slot = next(layer for layer in model.modules() if isinstance(layer, PerNodeDropLinear))
    seen: list[Tensor] = []
    slot.register_forward_pre_hook(lambda *_: (torch.ones(300, 8, slot.in_features),))
    slot.register_forward_hook(lambda _, inputs, y: seen.append(y.detach()))
    model(torch.randn(300, 1, 8, 8))
    noise = seen[0] - seen[0].mean(0)
    near, far = ((noise[:, 0] * noise[:, lag]).mean() / noise.square().mean() for lag in (1, 7))
    assert near == pytest.approx(0.9, abs=0.05)
    assert far == pytest.approx(0.9**7, abs=0.1)


def test_one_trains_as_without_it_and_others_do_not() -> None:
    task, plain = few_digits_of("lstm"), TrialConfig("pernodedrop", batch_size=32, units=16)
    usual = curves(training(task, plain, epochs=1))
    assert curves(training(task, config(1), epochs=1)) == usual
    found = curves(training(task, config(0.9), epochs=1))
    assert found == curves(training(task, config(0.9), epochs=1))
    assert found != usual


def test_its_variant_is_that_without_it() -> None:
    assert config(0.5).variant == "pernodedrop-bernoulli-dynamic"


@pytest.mark.parametrize(
    ("task", "backbone", "message"),
    [
        ("digits", "mlp", 'digits with the backbone "mlp" has not: set .* to "transformer", "lstm" or "gru"'),
        ("digits", None, 'digits with the backbone "paper" has not: set task.options.backbone to "transformer", "lstm'),
        ("cifar10", "resnet", 'cifar10 with the backbone "resnet" has not: set task.options.backbone to "transformer"'),
        ("rcv1", None, 'rcv1 with the backbone "paper" has not: remove it'),
        ("linear_factorization", None, "the model of linear_factorization has not: remove it"),
    ],
)
def test_a_study_of_a_model_without_positions_is_refused(task: str, backbone: str | None, message: str) -> None:
    with pytest.raises(InvalidDefinition, match=f"time_correlation acts over the positions of a sequence.*{message}"):
        parse_definition(study(task, backbone))


def test_other_studies_are_accepted() -> None:
    parse_definition(study("speech_commands", "gru"))
    parse_definition(own({"regularizer": categorical("pernodedrop"), "time_correlation": real(0.0, 1.0)}))
    with pytest.raises(InvalidDefinition, match=r"time_correlation.high must be at most 1, got 1.5"):
        parse_definition(
            raw(
                task={"name": "digits", "options": {"backbone": "lstm"}},
                search_space={"regularizer": categorical("pernodedrop"), "time_correlation": real(0.0, 1.5)},
            )
        )
    with pytest.raises(InvalidDefinition, match='is a setting of "pernodedrop", which the study does not'):
        parse_definition(study("digits", "lstm", "dropout"))


class Sequences(Circles):
    """Own tasks, whose models nobody knows before they run."""

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential(nn.Unflatten(1, (5, 2)))
        model.add_module("slot", SharedNoiseLinear(2, 7))
        return model.extend([nn.ReLU(), nn.Flatten(), nn.Linear(35, 2)])


def test_the_model_of_an_own_task_shows_in_its_first_pass_whether_it_has_positions() -> None:
    assert TaskSpec(name="a.b:C").is_built_in is False
    curves(training(Sequences(), config(0.5), epochs=1))
    for task in (Circles(), few_digits_of("mlp")):
        with pytest.raises(ValueError, match=r"no slot of the model of task \S+ meets inputs \(B, T, I\): remove it"):
            curves(training(task, config(0.5), epochs=1))


def test_a_schedule_of_the_rate_and_alternating_masks_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="drop_rate_schedule must be constant where time_correlation is below 0"):
        training(Sequences(), config(-0.5, drop_rate_schedule="linear_down"))
    training(Sequences(), config(-0.5, drop_rate_schedule="linear_down", stir_type="gaussian"))
    with pytest.raises(
        ValueError, match=r"must be at least -0.25 for stir_type 'bernoulli' at drop_rate 0.2, got -0.5"
    ):
        training(Sequences(), config(-0.5, drop_rate=0.2))
