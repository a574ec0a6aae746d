"""The studies that are searched meanwhile: all variants, pruning, repeats, two objectives,
a confirmation, a lag, one poison. Those of own loops are in `own_loop`."""

from collections.abc import Iterator
from typing import Any

from tests.chaos.misbehaviour import ENDS, LEFT_PROCESSES, LEFT_STATE
from tests.chaos.schedule import Fault, Kind

RETRIES = 10
PAUSE_S = 0.4  # in an epoch: trials of some ten seconds, so that most faults strike in the middle of one
CONFIRMED = "confirmed"
MOST_SEEDS, MORE_SEEDS = 3, 4  # of a confirmation, and when it was extended
POISON = "kills its worker"

_VARIANTS = {
    "regularizer": {
        "type": "categorical",
        "choices": ["none", "dropout", "gaussian_dropout", "dropconnect", "masksembles", "pernodedrop"],
    },
    "stir_type": {
        "type": "categorical",
        "choices": ["bernoulli", "gaussian", "partial_gaussian"],
        "when": {"regularizer": "pernodedrop"},
    },
    "mask_mode": {"type": "categorical", "choices": ["dynamic", "fixed"], "when": {"regularizer": "pernodedrop"}},
    "drop_rate": {"type": "float", "low": 0.0, "high": 0.5, "step": 0.1},
    "units": {"type": "categorical", "choices": [16, 32]},
}
_LINE = "tests.chaos.tasks:PacedLine"


def _digits(epochs: int) -> dict[str, Any]:
    return {
        "name": "tests.chaos.tasks:PacedDigits", "epochs": epochs, "train_size": 200, "options": {"pause": PAUSE_S},
    }  # fmt: skip


_KINDS: dict[str, dict[str, Any]] = {
    "variants": {
        "task": _digits(25),
        "search_space": _VARIANTS,
        "sampler": {"name": "random"},
        "budget": {"trials": 12},
    },
    # Four variants, once each: every configuration is the best of its variant, and is confirmed, round by round. When
    # it is decided, it is extended by two at once.
    CONFIRMED: {
        "task": _digits(12),
        "search_space": {
            "regularizer": {
                "type": "categorical",
                "choices": ["dropout", "gaussian_dropout", "dropconnect", "masksembles"],
            },
        },
        "fixed": {"drop_rate": 0.2, "units": 16},
        "sampler": {"name": "grid"},
        "confirmation": {"top": 1, "repeats": 2, "until": "decided", "most_repeats": MOST_SEEDS},
        "keep": "best",
    },
    # Whatever befalls its workers, one that nothing disturbs finds the same.
    "ordered": {
        "task": _digits(18),
        "search_space": {
            "regularizer": {"type": "categorical", "choices": ["dropout", "dropconnect"]},
            "drop_rate": _VARIANTS["drop_rate"],
            "learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True},
        },
        "sampler": {"name": "tpe", "n_startup_trials": 4, "lag": 4},
        "pruner": {"name": "median", "n_startup_trials": 1, "n_warmup_epochs": 3},
        "budget": {"trials": 16},
    },
    "pruned": {
        "task": _digits(27),
        "search_space": _VARIANTS,
        "sampler": {"name": "tpe"},
        "pruner": {"name": "successive_halving", "min_epochs": 9},
        "budget": {"trials": 12},
        "start_with": [
            {"regularizer": "dropconnect", "drop_rate": 0.3},
            {"params": {"regularizer": "dropout", "drop_rate": 0.7, "units": 24}, "outside": True},
        ],
    },
    "paused": {
        "task": _digits(27),
        "search_space": _VARIANTS,
        "sampler": {"name": "tpe"},
        "pruner": {"name": "asha", "min_epochs": 3},
        "budget": {"trials": 12, "epochs": 130},
    },
    "repeats": {
        "task": _digits(9),
        "search_space": _VARIANTS,
        "sampler": {"name": "random"},
        "repeats": 3,
        "budget": {"trials": 8},
    },
    "two-objectives": {
        "task": {"name": _LINE, "epochs": 25, "options": {"pause": PAUSE_S}},
        "objectives": [{"metric": "val_loss"}, {"metric": "val_error"}],
        "search_space": {
            "drop_rate": _VARIANTS["drop_rate"],
            "learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True},
        },
        "sampler": {"name": "random"},
        "budget": {"trials": 8},
    },
    "built-in": {
        "task": {"name": "digits", "epochs": 6},
        "search_space": _VARIANTS,
        "sampler": {"name": "tpe"},
        "pruner": {"name": "hyperband", "min_epochs": 2},
        "budget": {"trials": 8},
    },
}


def definitions(seed: int) -> Iterator[dict[str, Any]]:
    """One study after another, for ever."""
    number = 0
    while True:
        for kind, parts in _KINDS.items():
            number += 1
            sampler = {**parts["sampler"], "seed": seed % 2**32}
            yield {**parts, "name": f"{kind}-{number}", "sampler": sampler, "retries": RETRIES}


MISBEHAVING = "misbehaving"
_MODES = {Kind.LEAVE_STATE: LEFT_STATE, Kind.LEAVE_PROCESS: LEFT_PROCESSES, Kind.END_PROCESS: ENDS}


def misbehaving(fault: Fault) -> dict[str, Any]:
    """Three trials of a task that does to its process what the fault says, for the next workers that are free.

    With a fourth that waits, the study would pause when these have failed alike.
    """
    mode = fault.among(tuple(_MODES[fault.kind]))
    return {
        "name": f"{MISBEHAVING}-{fault.at:.2f}-{mode}",
        "task": {"name": "tests.chaos.tasks:Misbehaving", "epochs": 3, "options": {"pause": 0.1, "mode": mode}},
        "search_space": {"drop_rate": _VARIANTS["drop_rate"]},
        "sampler": {"name": "random"},
        "budget": {"trials": 3},
        "priority": 100,
        "retries": 0,
    }


def poison(seed: int) -> dict[str, Any]:
    """Two trials, one of which kills every worker that takes it; it ends as failed when its retries are used up."""
    return {
        "name": "poison",
        "task": {"name": _LINE, "epochs": 3, "options": {"pause": PAUSE_S}},
        "search_space": {"trouble": {"type": "categorical", "choices": [POISON, "none"]}},
        "sampler": {"name": "grid", "seed": seed % 2**32},
        "retries": 1,
    }
