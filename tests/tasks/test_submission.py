"""What submission accepts trains, and what it refuses cannot: for every built-in task, backbone and regularizer."""

from collections.abc import Iterator, Mapping
from itertools import islice, product
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import nn

from pernodedrop.names import REGULARIZERS
from search_spaces import InvalidDefinition, Objective, TaskSpec, TrialConfig, parse_definition
from search_spaces.networks import map_side, slot_widths
from search_spaces.objective import with_objectives
from search_spaces.parameters import OPTIONS, PARAMETERS, OneOf, WholeWithin, Within
from search_spaces.rules.trainable import BLOCKS, NOISE
from search_spaces.task import BACKBONES, BUILT_IN_TASKS
from tests.tasks.canonical import write_cifar10, write_rcv1, write_speech_commands
from workers.tasks import load_task
from workers.training import Training

Params = dict[str, Any]
SIZES = {
    "speech_commands": (4, 2),
    "rcv1": (8, 4),
    "cifar10": (8, 4),
    "digits": (8, 20),
    "linear_factorization": (8, 4),
}
CASES = {"digits": 2, "linear_factorization": 6, "cifar10": 0, "speech_commands": 0, "rcv1": 0}  # besides the defaults
NETWORKS = [(task, backbone) for task in BUILT_IN_TASKS for backbone in BACKBONES[task] or [None]]
HEAVY = [one for one in NETWORKS if one[0] in ("speech_commands", "rcv1")]
LIGHT = [one for one in NETWORKS if one not in HEAVY]
SETTINGS: Mapping[str, tuple[Any, ...]] = {
    "drop_rate_schedule": ("linear_up", "annealed", "late"),
    "label_smoothing": (0.0, 0.1),
    "augmentation": ("none", "flip_crop"),
    "learning_rate_schedule": ("snapshot", "one_cycle"),
    "curvature_every": (1,),
    "mask_noise_pairs": (1,),
    "masked_loss_draws": (1,),
    "units": (1, 2, 3, 6),
    "batch_size": (1, 3, 100_000),
    "drop_rate": (0.0, 0.2, 0.6, 0.8, 0.9),
    "mask_mode": ("dynamic", "fixed"),
    "stir_type": ("bernoulli", "gaussian", "partial_gaussian"),
    "optimizer": ("sgd", "nesterov", "adamw"),
    "weight_decay_on": ("all",),
}
SMALL: Params = {"units": 8, "batch_size": 4, "curvature_samples": 2, "curvature_vectors": 2}
METRICS = (
    "val_loss",
    "val_accuracy",
    "val_f1",
    "train_step_loss",
    "val_step_loss",
    "val_r2",
    "train_rank",
    "val_brier",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few_of_all")
    write_cifar10(folder)
    write_speech_commands(folder, words=("go", "up"), speakers=8, clips=1)
    return write_rcv1(folder)


def spec_of(task: str, backbone: str | None, **more: Any) -> Params:
    train_size, val_size = SIZES[task]
    options = {"val_size": val_size, **({} if backbone is None else {"backbone": backbone}), **more.pop("options", {})}
    return {"name": task, "epochs": 1, "train_size": train_size, "options": options, **more}


def refusal(spec: Params, params: Params, metric: str = "val_loss", space: Params | None = None) -> str | None:
    """What submission says of the study; None: it takes it."""
    study = {
        "name": "study",
        "task": spec,
        "objectives": [{"metric": metric}],
        "search_space": space or {"learning_rate": {"type": "categorical", "choices": [0.001]}},
        "fixed": {name: value for name, value in {**SMALL, **params}.items() if name not in (space or {})},
        "budget": {"trials": 1},
    }
    try:
        parse_definition(study)
    except InvalidDefinition as error:
        assert all(len(line) < 500 for line in str(error).splitlines())
        return str(error)
    return None


def failure(spec: Params, params: Params, data: Path, metric: str = "val_loss") -> str | None:
    """What a training of one epoch says; None: it was trained, and has the metric."""
    try:
        task = load_task(TaskSpec(**spec), data)
        config = TrialConfig.from_params({**SMALL, **params})
        (epoch,) = Training(task, config, epochs=1, seed=3, device=torch.device("cpu")).epochs()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None if metric in with_objectives(epoch.metrics, [Objective(metric=metric)]) else f"no {metric}"


def settings_of(regularizer: str) -> dict[str, tuple[Any, ...]]:
    """Values of every setting, and of the options of the regularizer, inside of their domains."""
    found = dict(SETTINGS)
    for name, option in OPTIONS.items():
        if regularizer not in option.of or name == "time_correlation":
            continue
        match option.domain:
            case OneOf() as domain:
                found[name] = tuple(domain.names)
            case WholeWithin() as domain:
                found[name] = tuple(value for value in (1, 2, 3, 4, 8) if domain.refusal(value) is None)
            case Within() as domain:
                found[name] = tuple(value for value in (0.0, 0.5, 1.0, 0.9) if domain.refusal(value) is None)
    return found


def drawn(regularizer: str, rng: Random) -> Params:
    """Up to three settings at random."""
    settings = settings_of(regularizer)
    names = rng.sample(sorted(settings), rng.randint(1, 3))
    return {"regularizer": regularizer, **{name: rng.choice(settings[name]) for name in names}}


def cases(task: str, backbone: str | None, count: int, rng: Random) -> Iterator[tuple[Params, Params, str]]:
    for regularizer in REGULARIZERS:
        yield spec_of(task, backbone), {"regularizer": regularizer}, "val_loss"
        for _ in range(count):
            precision = rng.choice(("float32", "float32", "bfloat16"))
            yield spec_of(task, backbone, precision=precision), drawn(regularizer, rng), rng.choice(METRICS)


def compare(spec: Params, params: Params, data: Path, metric: str) -> None:
    said, failed = refusal(spec, params, metric), failure(spec, params, data, metric)
    assert (said is None) == (failed is None), f"{spec} {params} {metric}: submission: {said}; training: {failed}"


@pytest.mark.wide
@pytest.mark.parametrize(("task", "backbone"), NETWORKS)
def test_what_is_accepted_trains_and_what_is_refused_does_not(task: str, backbone: str | None, data: Path) -> None:
    every = list(cases(task, backbone, CASES[task], Random(12)))
    if task == "rcv1":  # 48 million weights
        every = Random(13).sample(every, 4)
    for case in every:
        compare(case[0], case[1], data, case[2])


def test_a_sample_of_them(data: Path) -> None:
    rng = Random(14)
    every = [
        case
        for task, backbone in (("linear_factorization", None), ("digits", "mlp"), ("digits", "paper"))
        for case in cases(task, backbone, 2, rng)
    ]
    for spec, params, metric in rng.sample(every, 24):
        compare(spec, params, data, metric)


@pytest.mark.wide
@pytest.mark.parametrize(("task", "backbone"), [("linear_factorization", None), ("digits", "mlp"), ("digits", "gru")])
def test_a_space_is_accepted_if_all_of_its_trials_train(task: str, backbone: str | None, data: Path) -> None:
    rng, spec = Random(15), spec_of(task, backbone)
    for _ in range(25):
        regularizers = rng.sample(sorted(REGULARIZERS), 2)
        settings = {**settings_of(regularizers[0]), **settings_of(regularizers[1])}
        name = rng.choice([name for name in sorted(settings) if name not in ("curvature_every",)])
        values = rng.sample(settings[name], min(2, len(settings[name])))
        space = {
            "regularizer": {"type": "categorical", "choices": regularizers},
            name: {"type": "categorical", "choices": values},
        }
        said = refusal(spec, {}, space=space)
        if said is not None and "has no effect" in said:
            continue  # its trials train, all alike
        failures = [
            failed
            for regularizer, value in product(regularizers, values)
            if (failed := failure(spec, {"regularizer": regularizer, name: value}, data))
        ]
        assert (said is None) == (not failures), f"{space}: submission: {said}; trainings: {failures}"


OPTIONS_AND_SIZES = [
    ("digits", {"options": {"backbon": "mlp"}}, "task.options.backbon is no option of digits: did you mean backbone?"),
    (
        "digits",
        {"options": {"backbone": "resnt"}},
        'task.options.backbone must be .* got "resnt": did you mean "resnet"?',
    ),
    ("rcv1", {"options": {"backbone": "mlp"}}, 'task.options.backbone must be "paper", got "mlp"'),
    ("digits", {"options": {"val_size": "20"}}, "task.options.val_size must be a whole number"),
    ("digits", {"options": {"val_size": True}}, "task.options.val_size must be a whole number"),
    ("digits", {"options": {"split_seed": -1}}, "task.options.split_seed must be at least 0"),
    ("digits", {"options": {"held_out": "9 10"}}, "task.options.held_out names '10', which is no class of digits"),
    ("digits", {"options": {"held_out": 1.5}}, "task.options.held_out must name classes"),
    ("speech_commands", {"options": {"held_out": ""}}, "task.options.held_out must name classes"),
    ("rcv1", {"options": {"held_out": " ".join(map(str, range(24)))}}, "must leave at least 2 classes of rcv1"),
    ("digits", {"train_size": 1_418}, "task.train_size must be at most 1417 of the 1437 samples of digits beside 20"),
    ("digits", {"train_size": None, "options": {"val_size": 1_437}}, "task.options.val_size must be at most 1436"),
    ("digits", {"options": {"held_out": "8 9"}, "train_size": 1_135}, "task.train_size must be at most 1134"),
    ("cifar10", {"train_size": 60_000}, "task.train_size must be at most 49996 of the 50000 samples of cifar10"),
    ("linear_factorization", {"options": {"rank": 11}}, "task.options.rank must be at most rows and columns, got 11"),
    ("linear_factorization", {"options": {"rows": 2}}, r"task.options.rows must be at least rank, 3 by default"),
    ("linear_factorization", {"options": {"noise": -1}}, "task.options.noise must be at least 0"),
    ("linear_factorization", {"options": {"correlation": 1}}, "task.options.correlation must be at most 0.99"),
    ("linear_factorization", {"options": {"slots": "none"}}, 'task.options.slots must be "second", "first" or "both"'),
]


@pytest.mark.parametrize(("task", "changes", "line"), OPTIONS_AND_SIZES)
def test_a_task_that_no_worker_can_load_is_refused(task: str, changes: Params, line: str, data: Path) -> None:
    spec = spec_of(task, None, **changes)
    with pytest.raises(InvalidDefinition, match=line) as refused:
        parse_definition({"name": "s", "task": spec, "search_space": {}, "budget": {"trials": 1}})
    assert len(refused.value.problems) == 1
    with pytest.raises(ValueError, match=r"\S"):
        load_task(TaskSpec(**spec), data).splits(torch.device("cpu"))


@pytest.mark.parametrize("held_out", [None, "8 9"])
def test_the_largest_split_of_the_digits_is_taken_and_loaded(held_out: str | None, data: Path) -> None:
    options = {} if held_out is None else {"held_out": held_out}
    spec = spec_of("digits", None, train_size=1_417 if held_out is None else 1_134, options=options)
    assert refusal(spec, {}) is None
    assert len(load_task(TaskSpec(**spec), data).splits(torch.device("cpu")).train_x) == spec["train_size"]


@pytest.mark.parametrize(("task", "backbone"), [*LIGHT, *(pytest.param(*one, marks=pytest.mark.wide) for one in HEAVY)])
def test_the_sizes_of_the_networks_are_those_of_the_models(task: str, backbone: str | None, data: Path) -> None:
    spec = TaskSpec(**spec_of(task, backbone))
    loaded, units = load_task(spec, data), 24
    loaded.splits(torch.device("cpu"))
    model = loaded.build(TrialConfig(units=units))
    slots = [layer for name, layer in model.named_modules() if name.endswith("slot") and isinstance(layer, nn.Linear)]
    widths = slot_widths(spec, units)
    assert set(widths) == {layer.in_features for layer in slots}
    sides: list[int] = []
    for name, module in model.named_modules():
        if name.endswith("map"):
            module.register_forward_hook(lambda *seen: sides.append(seen[2].shape[-1]))
    model(loaded.splits(torch.device("cpu")).val_x[:2])
    assert sides == ([] if map_side(spec) is None else [map_side(spec)])


def test_the_defaults_are_those_of_the_classes() -> None:
    for name, noise in NOISE.items():
        assert REGULARIZERS.named(name).options["noise"] == noise
    for name, size in BLOCKS.items():
        assert REGULARIZERS.named(name).options["block_size"] == size
    for name, built_in in islice(BUILT_IN_TASKS.items(), len(BACKBONES)):
        assert built_in.options is not None, name
        assert built_in.metrics is not None, name
    assert set(SETTINGS) <= set(PARAMETERS)
