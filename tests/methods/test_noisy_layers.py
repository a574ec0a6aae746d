"""What holds for every regularizer of pernodedrop/methods/ that is a dense layer with a noise of its own."""

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from pernodedrop import SharedNoiseLinear, mc_mode, regularize
from pernodedrop.layers.regularizing import noise_parameters
from pernodedrop.objectives import Step
from search_spaces import TrialConfig
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import curves, figures, training
from workers.training.optimizers import optimizer_of

NAMES = [
    "shakeout",
    "standout",
    "ninr",
    "tabu",
    "variational_dropout",
    "sparse_variational_dropout",
    "concrete_dropout",
]
LEARNED = {
    "ninr": ["noise_weight"],
    "variational_dropout": ["log_alpha"],
    "sparse_variational_dropout": ["log_variance"],
    "concrete_dropout": ["logit"],
}
STATE = LEARNED | {"tabu": ["waits", "chances"]}
every = pytest.mark.parametrize("name", NAMES)
learned = pytest.mark.parametrize("name", LEARNED)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(20251212)


def config(name: str, **settings: object) -> TrialConfig:
    return TrialConfig(name, drop_rate=0.4, units=12, batch_size=16, **settings)  # type: ignore[arg-type]


@every
def test_it_starts_from_the_weights_of_none_and_trains_what_is_its_own(name: str) -> None:
    plain, run = training(Circles(), config("none")), training(Circles(), config(name))
    start = copy.deepcopy(run.model.state_dict())
    own = [f"1.slot.{held}" for held in STATE.get(name, [])]
    assert [key for key in start if key not in own] == list(plain.model.state_dict())
    assert all(torch.equal(start[key], value) for key, value in plain.model.state_dict().items())
    epochs = run.epochs()
    first = figures(next(epochs))
    moved = {key for key in own if not torch.equal(start[key], run.model.state_dict()[key])}
    assert moved == {*own} - {"1.slot.chances"}  # at a constant rate they are too
    found = [first, *map(figures, epochs)]
    assert found != curves(plain)
    assert found == curves(training(Circles(), config(name)))


@every
def test_a_training_that_is_taken_over_goes_on_bit_for_bit(name: str) -> None:
    expected = curves(training(Circles(), config(name), epochs=3))
    broken = training(Circles(), config(name), epochs=3)
    first = figures(next(broken.epochs()))
    file = io.BytesIO()
    torch.save(broken.state_dict(), file)
    file.seek(0)
    resumed = training(Circles(), config(name), epochs=3, seed=4)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert [first, *curves(resumed)] == expected


@learned
def test_weight_decay_leaves_its_parameters_alone_unless_it_acts_on_all(name: str) -> None:
    for on, expected in (("weights", False), ("all", True)):
        settings = config(name, weight_decay=0.1, weight_decay_on=on)
        model = training(Circles(), settings).model
        decayed = {id(each) for each in optimizer_of(model, settings).param_groups[0]["params"]}
        (own,) = noise_parameters(model)
        assert (id(own) in decayed) is expected
        assert id(model.get_parameter("1.slot.weight")) in decayed


@every
def test_undo_gives_the_layer_back_and_others_may_follow(name: str) -> None:
    model, x = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4)), torch.randn(3, 8)
    keys, weights = list(model.state_dict()), [weight.clone() for weight in model.parameters()]
    handles = [regularize(model, other, nn.Linear, drop_rate=0.4) for other in (name, "pernodedrop", "ninr")]
    assert [key for key in model.state_dict() if key not in keys] == ["0.noise_weight", "1.noise_weight"]
    handles[2].undo(merge=False)
    handles[1].undo()
    own = [key for key in model.state_dict() if key not in keys]
    assert own == [f"{layer}.{held}" for layer in "01" for held in STATE.get(name, [])]
    model(x).sum().backward()
    handles[0].undo(merge=False)
    assert (list(model.state_dict()), type(model[0])) == (keys, nn.Linear)
    assert all(torch.equal(one, other) for one, other in zip(weights, model.parameters(), strict=True))
    assert not noise_parameters(model)
    taken = nn.Linear(8, 4)
    for held in STATE.get(name, []):
        setattr(taken, held, nn.Parameter(torch.zeros(2)))
        with pytest.raises(ValueError, match=rf"layer '0' has a '{held}' of its own"):
            regularize(nn.Sequential(taken), name, drop_rate=0.4)


def test_a_layer_that_an_earlier_release_has_regularized_and_pickled_takes_another_regularizer() -> None:
    model, x = nn.Sequential(nn.Linear(8, 8)), torch.randn(3, 8)
    regularize(model)
    model(x)
    del vars(model[0])["_takeovers"][0]._gained["_parameters"]  # what it did not know
    model = pickle.loads(pickle.dumps(model))
    handle = regularize(model, "ninr", nn.Linear)
    assert type(model[0]).__name__ == "NinrLinear"
    handle.undo()
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    assert not torch.equal(model(x), model(x))


@every
def test_monte_carlo_predictions_draw_and_leave_the_model_as_it_was(name: str) -> None:
    model, x = nn.Sequential(nn.Linear(8, 8)).eval(), torch.randn(64, 8)
    regularize(model, name, drop_rate=0.4)
    state, quiet = copy.deepcopy(model.state_dict()), model(x)
    with mc_mode(model):
        assert not torch.equal(model(x), model(x))
    assert torch.equal(model(x), quiet)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


@every
def test_copies_and_pickles_keep_what_is_their_own_and_copies_draw_other_noise(name: str) -> None:
    model, x = nn.Sequential(nn.Linear(8, 8)), torch.randn(64, 8)
    regularize(model, name, drop_rate=0.4, generator=torch.Generator().manual_seed(5))
    model(x)
    twin, again = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    for key, value in model.state_dict().items():
        assert torch.equal(value, twin.state_dict()[key])
    assert torch.equal(again(x), model(x))
    assert not torch.equal(twin(x), again(x))


@every
def test_a_weight_that_is_computed_keeps_its_parameters(name: str) -> None:
    model, x = nn.Sequential(parametrizations.weight_norm(nn.Linear(8, 8))), torch.randn(4, 8)
    plain = model(x).detach()
    handle = regularize(model, name, drop_rate=0.4)
    model(x).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    handle.undo()
    assert sorted(dict(model.named_parameters())) == [
        "0.bias",
        "0.parametrizations.weight.original0",
        "0.parametrizations.weight.original1",
    ]
    torch.testing.assert_close(model(x), plain)


@every
@pytest.mark.parametrize("batch_dim", [0, 1])
def test_in_front_of_a_recurrence_noise_is_shared_by_the_positions(name: str, batch_dim: int) -> None:
    model = nn.Sequential(SharedNoiseLinear(5, 7)).train()
    regularize(model, name, SharedNoiseLinear, drop_rate=0.4, batch_dim=batch_dim)
    x = torch.ones(8, 6, 5)
    y = model(x if batch_dim == 0 else x.transpose(0, 1))
    y = y if batch_dim == 0 else y.transpose(0, 1)
    torch.testing.assert_close(y, y[:, :1].expand(8, 6, 7))
    if name != "tabu":  # one mask for all
        assert not torch.allclose(y[0], y[-1])
    else:
        assert not torch.allclose(y, nn.functional.linear(x, model[0].weight, model[0].bias))


@every
def test_positions_have_noise_of_their_own_elsewhere(name: str) -> None:
    model = nn.Sequential(nn.Linear(5, 7)).train()
    regularize(model, name, drop_rate=0.4)
    y = model(torch.ones(8, 6, 5))
    assert torch.allclose(y[:, 0], y[:, -1]) is (name in ("ninr", "tabu"))


@every
def test_a_lazy_layer_is_regularized_where_its_shape_does_not_matter(name: str) -> None:
    model = nn.Sequential(nn.LazyLinear(7)).train()
    if name in ("tabu", "sparse_variational_dropout"):
        with pytest.raises(ValueError, match="needs to know a layer's features: run the lazy model once before"):
            regularize(model, name, drop_rate=0.4)
        return
    handle = regularize(model, name, drop_rate=0.4)
    assert not torch.equal(model(torch.ones(8, 5)), model(torch.ones(8, 5)))
    handle.undo()
    assert type(model[0]) is nn.Linear


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("shakeout", "tabu")])
def test_a_rate_that_cannot_be_set_is_refused(name: str) -> None:
    handle = regularize(nn.Sequential(nn.Linear(4, 4)), name, drop_rate=0.4)
    with pytest.raises(ValueError, match=rf"^{name} .*: its drop rate cannot be set, got 0.2$"):
        handle.set_drop_rate(0.2)
    with pytest.raises(ValueError, match=rf"drop_rate_schedule must be constant for this regularizer: {name} "):
        training(Circles(), config(name, drop_rate_schedule="linear_up"))


@pytest.mark.parametrize("name", ["shakeout", "tabu"])
def test_a_rate_follows_its_schedule_from_0(name: str) -> None:
    model, x = nn.Sequential(nn.Linear(8, 8)), torch.randn(64, 8)
    plain = model(x)
    handle = regularize(model, name, drop_rate=0.0)
    assert torch.equal(model(x), plain)
    handle.set_drop_rate(0.5)
    assert not torch.allclose(model(x), plain)
    assert len(curves(training(Circles(), config(name, drop_rate_schedule="linear_up")))) == 2


@pytest.mark.parametrize(
    ("name", "settings"), [("shakeout", {}), ("tabu", {}), ("ninr", {"sigma": 0.0})], ids=["shakeout", "tabu", "ninr"]
)
def test_without_noise_it_trains_what_none_trains_bit_for_bit(name: str, settings: dict[str, float]) -> None:
    plain = TrialConfig(units=12, batch_size=16)
    quiet = TrialConfig(name, drop_rate=0.0, units=12, batch_size=16, extra=settings)
    assert curves(training(Circles(), quiet)) == curves(training(Circles(), plain))


@pytest.mark.parametrize("name", ["variational_dropout", "sparse_variational_dropout", "concrete_dropout"])
def test_a_layer_of_two_names_counts_once(name: str) -> None:
    def added(*layers: nn.Linear) -> Tensor:
        handle = regularize(nn.Sequential(*layers), name, drop_rate=0.4)
        assert handle.objective is not None
        return handle.objective(Step(lambda: torch.zeros(1), torch.sum, "softmax", samples=10, done=0.5))

    layer = nn.Linear(4, 4)
    alone = added(copy.deepcopy(layer))
    torch.testing.assert_close(added(layer, layer), alone)


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_learn_with_their_own(name: str, dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(8, 8)).to(dtype)
    handle = regularize(model, name, drop_rate=0.4)
    wide = torch.promote_types(dtype, torch.float32)
    assert all(parameter.dtype == wide for parameter in noise_parameters(model))
    x = (300.0 * torch.randn(16, 8)).to(dtype)
    for run in (model, model.to(dtype)):  # a cast of the whole model casts what the noise learns too
        y = run(x)
        y.float().mean().backward()
        assert y.dtype == dtype
        assert all(bool(parameter.grad.isfinite().all()) for parameter in run.parameters())
    if handle.objective is not None:
        step = Step(lambda: model(x), lambda outputs: outputs.double().mean(), "squared", samples=16, done=0.5)
        assert bool(handle.objective(step).isfinite())
