"""The places elsewhere than in a dense slot: what the backbones offer, who acts there, and what is refused."""

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import regularize, regularized_linear
from pernodedrop.methods.spatial_dropout import SpatialDropout
from pernodedrop.methods.zoneout import ZoneoutLSTM
from pernodedrop.names import ELSEWHERE, REGULARIZERS
from pernodedrop.places import GRADIENT, KINDS, offered
from search_spaces import InvalidDefinition, TaskSpec, TrialConfig, parse_definition
from search_spaces.task import BACKBONES
from tests.search_spaces.studies import categorical, raw
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import curves, few_digits_of, figures, training
from workers.tasks import load_task
from workers.tasks.backbones import BACKBONES as BUILT
from workers.tasks.backbones import Rows, build_backbone
from workers.tasks.errors import InvalidOptions

MINE = {
    "spatial_dropout": ("paper", {}),
    "drop_block": ("resnet", {"block_size": 2}),
    "stochastic_depth": ("transformer", {}),
    "zoneout": ("lstm", {"z_cell": 0.0}),
    "variational_rnn_dropout": ("gru", {}),
    "gradient_noise": ("paper", {"eta": 0.001}),
}
ACTING = [name for name, place in ELSEWHERE.items() if place != GRADIENT]


def config(name: str, **changes: object) -> TrialConfig:
    return TrialConfig(name, batch_size=32, drop_rate=0.3, extra=MINE[name][1], **changes)  # type: ignore[arg-type]


def model(backbone: str) -> nn.Sequential:
    return build_backbone(backbone, (1, 8, 8), 10, TrialConfig(), tokens=Rows)


def test_who_has_no_torch_knows_where_each_acts() -> None:
    places = {name: kind.place for name, kind in REGULARIZERS.items() if kind.place != "slot"}
    assert places == dict(ELSEWHERE)
    assert set(MINE) == set(ELSEWHERE)


@pytest.mark.parametrize("backbone", BUILT)
def test_a_backbone_has_the_places_that_a_study_is_told_of(backbone: str) -> None:
    found = {place: offered(model(backbone), place) for place in KINDS if place != "slot"}
    assert tuple(place for place, names in found.items() if names) == BACKBONES["digits"][backbone]
    assert len(found["branch"]) == {"resnet": 3, "transformer": 4}.get(backbone, 0)


@pytest.mark.parametrize("task", [task for task, backbones in BACKBONES.items() if backbones])
def test_a_study_is_told_of_every_backbone_of_a_task(task: str) -> None:
    with pytest.raises(InvalidOptions, match=f"must be one of {', '.join(BACKBONES[task])}, got 'vgg'"):
        load_task(TaskSpec(name=task, options={"backbone": "vgg"}), Path())


@pytest.mark.parametrize(
    ("backbone", "names"),
    [
        ("paper", "features.0 features.3 slot hidden.0 logits"),
        (
            "resnet",
            "features.0 features.1 features.3.branch.0 features.3.branch.1 features.3.branch.3 features.3.branch.4 "
            "features.4.branch.0 features.4.branch.1 features.4.branch.3 features.4.branch.4 features.4.shortcut.0 "
            "features.4.shortcut.1 features.5.branch.0 features.5.branch.1 features.5.branch.3 features.5.branch.4 "
            "features.5.shortcut.0 features.5.shortcut.1 slot logits",
        ),
        (
            "transformer",
            "embedding embedding.dense blocks.0.attention.0 blocks.0.attention.1.asked blocks.0.attention.1.mixed "
            "blocks.0.feed_forward.norm blocks.0.feed_forward.wide blocks.0.feed_forward.slot blocks.1.attention.0 "
            "blocks.1.attention.1.asked blocks.1.attention.1.mixed blocks.1.feed_forward.norm "
            "blocks.1.feed_forward.wide blocks.1.feed_forward.slot norm logits",
        ),
        ("gru", "embedding.0 entry.slot recurrence.cell head.slot logits"),
    ],
)
def test_the_names_in_checkpoints_are_those_of_before(backbone: str, names: str) -> None:
    owners = dict.fromkeys(name.rpartition(".")[0] for name in model(backbone).state_dict())
    assert list(owners) == names.split()


@pytest.mark.parametrize("name", MINE)
def test_each_trains_repeats_and_resumes_bit_for_bit(name: str) -> None:
    task, mine = few_digits_of(MINE[name][0]), config(name)
    expected = curves(training(task, mine))
    assert expected[0] != curves(training(task, TrialConfig(batch_size=32), epochs=1))[0]
    broken = training(task, mine)
    first = figures(next(broken.epochs()))
    resumed = training(task, mine, seed=4)
    resumed.load_state_dict(copy.deepcopy(broken.state_dict()))
    assert [first, *curves(resumed)] == expected


@pytest.mark.parametrize("name", ACTING)
def test_each_starts_from_the_weights_of_none_and_is_none_at_rate_zero(name: str) -> None:
    task, mine = few_digits_of(MINE[name][0]), config(name)
    plain, run = training(task, TrialConfig(batch_size=32), epochs=1), training(task, mine, epochs=1)
    assert list(run.model.state_dict()) == list(plain.model.state_dict())
    assert all(torch.equal(*pair) for pair in zip(run.model.parameters(), plain.model.parameters(), strict=True))
    assert curves(training(task, replace(mine, drop_rate=0.0), epochs=1)) == curves(plain)


@pytest.mark.parametrize("name", ACTING)
def test_each_follows_a_schedule_is_copied_and_is_taken_out(name: str) -> None:
    plain = model(MINE[name][0])
    one = copy.deepcopy(plain)
    handle = regularize(one, name, drop_rate=0.3, options=MINE[name][1], generator=torch.Generator().manual_seed(1))
    twin, copied = pickle.loads(pickle.dumps(one)), copy.deepcopy(one)
    x = torch.randn(6, 1, 8, 8)
    first = one(x)
    assert torch.equal(first, twin(x))
    assert not torch.equal(first, copied(x))
    handle.set_drop_rate(0.0)
    torch.testing.assert_close(one(x), plain(x), rtol=0.0, atol=0.0)
    with pytest.raises(ValueError, match=r"drop_rate must lie in \[0, 1\), got 1.0"):
        handle.set_drop_rate(1.0)
    handle.set_drop_rate(0.3)
    handle.undo()
    assert {type(module) for module in one.modules()} == {type(module) for module in plain.modules()}
    assert torch.equal(one(x), plain(x))
    for at in handle.layers:
        assert vars(one.get_submodule(at)).keys() == vars(plain.get_submodule(at)).keys()


def test_each_trains_in_mixed_precision() -> None:
    for name, (backbone, _) in MINE.items():
        assert len(curves(training(few_digits_of(backbone, "bfloat16"), config(name), epochs=1))) == 1


class Own(nn.Module):
    """An own model with one place of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.map, self.branch = nn.Identity(), nn.Identity()
        self.layers, self.recurrence = nn.Linear(4, 4), nn.LSTM(4, 2, batch_first=True)
        self.other = nn.Sequential(nn.Identity(), nn.GRU(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.branch(self.layers(self.map(x)))
        return self.recurrence(x)[0][:, -1]


class OwnTask(Circles):
    def build(self, config: TrialConfig) -> nn.Module:
        return nn.Sequential(nn.Unflatten(1, (2, 5)), nn.Linear(5, 4), Own())


def test_an_own_task_offers_places_by_their_names() -> None:
    mine = {"spatial_dropout": {"layout": "sequence"}, "stochastic_depth": {}, "zoneout": {}}
    for name, options in mine.items():
        run = training(OwnTask(), TrialConfig(name, batch_size=16, extra=options))
        changed = [at for at, module in run.model.named_modules() if hasattr(module, "drop_rate")]
        assert changed == [f"2.{ELSEWHERE[name]}"]
        assert len(curves(run)) == 2
    with pytest.raises(ValueError, match=r"drop_block acts on a map, .* none: put an nn.Identity named \"map\" behind"):
        training(Circles(), TrialConfig("drop_block"))
    with pytest.raises(ValueError, match=r"zoneout acts on a recurrence, .* nn.LSTM or nn.GRU the name \"recurrence\""):
        training(Circles(), TrialConfig("zoneout"))


def test_in_a_model_alone_the_places_are_chosen_as_layers_are() -> None:
    model = Own()
    assert set(regularize(model, "zoneout").layers) == {"recurrence", "other.1"}
    assert isinstance(model.recurrence, ZoneoutLSTM)
    assert set(regularize(model, "spatial_dropout").layers) == {"map"}
    assert set(regularize(model, "stochastic_depth", "other.0").layers) == {"other.0"}
    assert isinstance(model.map, SpatialDropout)
    with pytest.raises(ValueError, match=r"where: 'layers' chooses no nn.LSTM or nn.GRU of Own"):
        regularize(Own(), "zoneout", ["layers"])
    with pytest.raises(ValueError, match=r"where=None chooses no nn.Identity of Linear"):
        regularize(nn.Linear(2, 2), "drop_block")
    with pytest.raises(ValueError, match="zoneout acts on a recurrence of a model, not in a dense layer"):
        regularized_linear("zoneout", 3, 4)


def study(regularizer: object, task: str = "digits", **options: object) -> dict[str, object]:
    return raw(task={"name": task, "options": options}, search_space={"regularizer": regularizer})


def test_a_study_of_a_backbone_without_the_place_is_refused() -> None:
    parse_definition(study(categorical("none", "zoneout"), backbone="gru"))
    parse_definition(study(categorical("none", "spatial_dropout", "gradient_noise")))
    with pytest.raises(InvalidDefinition) as refusal:
        parse_definition(study(categorical("none", "zoneout", "stochastic_depth")))
    assert str(refusal.value).splitlines() == [
        'search_space.regularizer.choices[1] acts on a recurrence, which digits with the backbone "paper" has not: '
        'set task.options.backbone to "lstm" or "gru", got "zoneout"',
        'search_space.regularizer.choices[2] acts on a branch, which digits with the backbone "paper" has not: '
        'set task.options.backbone to "resnet" or "transformer", got "stochastic_depth"',
    ]
    for task in ("rcv1", "linear_factorization"):
        with pytest.raises(InvalidDefinition, match=rf"acts on a map, which .*{task}.* has not: remove it, got"):
            parse_definition(study(categorical("drop_block"), task))
    parse_definition({**study(categorical("zoneout")), "task": {"name": "package.module:Task"}})
