"""Numbers that change while a model trains: each a function of the share of the training's steps that are done.

A schedule has no state, so that a resumed training continues at the same point. To add one, write a function and a
line in its list.
"""

import math
from collections.abc import Callable, Mapping

from search_spaces import TrialConfig

Schedule = Callable[[float], float]  # share of the steps done, in [0, 1), to the number
Factor = Callable[[float, TrialConfig, int], float]  # share, config and all steps to a part of the learning rate

ONE_CYCLE_RISE = 0.3  # share of the steps, where there is no warm-up
ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1 / 25 / 1e4  # of the highest rate; torch.optim.lr_scheduler.OneCycleLR's
STEPS, STEP = (0.5, 0.75), 0.1  # where the rate falls to a tenth (He et al. 2016, arXiv:1512.03385)
CURRICULUM = 10.0  # gamma times the number of steps (Morerio et al. 2017, arXiv:1703.06229)


def learning_rate(config: TrialConfig, steps: int) -> Schedule | None:
    """The learning rate by the config's schedule and warm-up in a training of so many steps; None: it is constant."""
    if config.learning_rate_schedule == "constant" and config.warmup == 0.0:
        return None
    factor = LEARNING_RATES[config.learning_rate_schedule]
    return lambda done: config.learning_rate * factor(done, config, steps)


def drop_rate(config: TrialConfig) -> Schedule | None:
    """The drop rate by the config's schedule; None where it is constant."""
    if config.drop_rate_schedule == "constant":
        return None
    rate = DROP_RATES[config.drop_rate_schedule]
    return lambda done: rate(done, config.drop_rate, config.drop_rate_share)


def cycle(config: TrialConfig, steps: int) -> int:
    """The steps of a cycle of the schedule "snapshot": the training's, divided by the cycles and rounded up."""
    return math.ceil(steps / config.learning_rate_cycles)


def _warmed(factor: Schedule) -> Factor:
    """A schedule after a linear rise from 0, which takes a share `warmup` of the steps."""

    def warmed(done: float, config: TrialConfig, steps: int) -> float:
        warmup = config.warmup
        return done / warmup if done < warmup else factor((done - warmup) / (1.0 - warmup))

    return warmed


def _cosine(done: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter 2017, arXiv:1608.03983, one cycle)."""
    return 0.5 * (1.0 + math.cos(math.pi * done))


def _step(done: float) -> float:
    return STEP ** sum(done >= share for share in STEPS)


def _snapshot(done: float, config: TrialConfig, steps: int) -> float:
    """Half a cosine from 1 to 0 in every cycle (Huang et al. 2017, arXiv:1704.00109); the warm-up is a factor."""
    of_cycle = cycle(config, steps)
    rise = min(1.0, done / config.warmup) if config.warmup > 0.0 else 1.0
    return rise * 0.5 * (1.0 + math.cos(math.pi * (round(done * steps) % of_cycle) / of_cycle))


def _one_cycle(done: float, config: TrialConfig, steps: int) -> float:
    """Half cosines up and down again (Smith and Topin 2019, arXiv:1708.07120); the warm-up is the rise."""
    rise = config.warmup or ONE_CYCLE_RISE
    if done < rise:
        return 1.0 + (ONE_CYCLE_START - 1.0) * _cosine(done / rise)
    return ONE_CYCLE_END + (1.0 - ONE_CYCLE_END) * _cosine((done - rise) / (1.0 - rise))


def _curriculum(done: float, rate: float, share: float) -> float:
    """Keep probability (1 - k) exp(-g t) + k towards k = 1 - rate, g = 10 / T (Morerio et al. 2017)."""
    return rate * (1.0 - math.exp(-CURRICULUM * done))


def _annealed(done: float, rate: float, share: float) -> float:
    """rate * max(0, 1 - t / N), N the share of the steps (Rennie et al. 2014)."""
    return rate * max(0.0, 1.0 - done / share)


LEARNING_RATES: Mapping[str, Factor] = {
    "constant": _warmed(lambda done: 1.0),
    "cosine": _warmed(_cosine),
    "one_cycle": _one_cycle,
    "step": _warmed(_step),
    "snapshot": _snapshot,
}

DROP_RATES: Mapping[str, Callable[[float, float, float], float]] = {
    "linear_up": lambda done, rate, share: rate * done,
    "linear_down": lambda done, rate, share: rate * (1.0 - done),
    "curriculum": _curriculum,
    "annealed": _annealed,
    "early": lambda done, rate, share: rate if done < share else 0.0,  # Liu et al. 2023, arXiv:2303.01500
    "late": lambda done, rate, share: rate if done >= share else 0.0,
}
