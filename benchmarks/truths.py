"""What simulated searches find: drawn at random, or recorded trainings of every configuration."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from search_spaces import TrialConfig, variant_of

VARIANTS, EPOCHS, CONFIRMED = 8, 20, 3
SEED_NOISE = 0.01  # sd, of a configuration's value under one seed
RATES = [round(0.1 * step, 1) for step in range(10)]
UNITS = [32, 64, 128]
_OF_VARIANTS: list[dict[str, str]] = [
    {"regularizer": "dropout"},
    {"regularizer": "gaussian_dropout"},
    *(
        {"regularizer": "pernodedrop", "stir_type": stir, "mask_mode": mode}
        for stir in ("bernoulli", "gaussian", "partial_gaussian")
        for mode in ("dynamic", "fixed")
    ),
]
NUMBERS = {variant_of(params): number for number, params in enumerate(_OF_VARIANTS)}


def space(epochs: int = EPOCHS) -> dict[str, Any]:
    """The parts of a definition with eight variants, of which masks of PerNodeDrop are six."""
    return {
        "task": {"name": "digits", "epochs": epochs},
        "search_space": {
            "regularizer": {"type": "categorical", "choices": ["dropout", "gaussian_dropout", "pernodedrop"]},
            "stir_type": {
                "type": "categorical",
                "choices": ["bernoulli", "gaussian", "partial_gaussian"],
                "when": {"regularizer": "pernodedrop"},
            },
            "mask_mode": {
                "type": "categorical",
                "choices": ["dynamic", "fixed"],
                "when": {"regularizer": "pernodedrop"},
            },
            "drop_rate": {"type": "float", "low": RATES[0], "high": RATES[-1], "step": 0.1},
            "units": {"type": "categorical", "choices": UNITS},
        },
        "fixed": {"noisy_fraction": 0.5},
    }


class Truth(Protocol):
    """What trainings bring, in one simulated study."""

    def curve(self, config: TrialConfig) -> Sequence[float]:
        """The losses of the search's training, epoch by epoch. A configuration that is trained again gives the same."""

    def confirmed(self, configs: Sequence[TrialConfig]) -> list[float]:
        """Their means under the fresh seeds."""

    def reached(self, config: TrialConfig) -> float:
        """The expected loss."""

    @property
    def best(self) -> tuple[str, float]:
        """The variant that reaches least, and that loss."""


@dataclass(frozen=True)
class Nature:
    """Every variant has an optimum of its own (a rate, a width) and a speed."""

    level: np.ndarray[Any, Any]  # (V,), the best loss of each variant
    rate: np.ndarray[Any, Any]  # (V,), where it is
    speed: np.ndarray[Any, Any]  # (V,), epochs in which the distance to the end falls to 1/e
    seed: int  # of the noise

    def curve(self, config: TrialConfig) -> Sequence[float]:
        key = (self.seed, NUMBERS[config.variant], round(10 * config.drop_rate), config.units)
        noise = SEED_NOISE * np.random.default_rng(key).standard_normal()
        end = self._final(config.variant, config.drop_rate, config.units) + noise
        return list(self._falling(NUMBERS[config.variant], end))

    def confirmed(self, configs: Sequence[TrialConfig]) -> list[float]:
        fresh = np.random.default_rng((self.seed, 77))
        return [self.reached(each) + float(SEED_NOISE * fresh.standard_normal(CONFIRMED).mean()) for each in configs]

    def reached(self, config: TrialConfig) -> float:
        return self._reached(config.variant, config.drop_rate, config.units)

    @property
    def best(self) -> tuple[str, float]:
        reachable = {name: min(self._reached(name, rate, 64) for rate in RATES) for name in NUMBERS}
        name = min(reachable, key=lambda each: reachable[each])
        return name, reachable[name]

    def _reached(self, variant: str, rate: float, units: int) -> float:
        *_, last = self._falling(NUMBERS[variant], self._final(variant, rate, units))
        return last  # what a slow variant has not reached at the end is part of what it reaches

    def _final(self, variant: str, rate: float, units: int) -> float:
        number = NUMBERS[variant]
        return float(self.level[number] + 0.3 * (rate - self.rate[number]) ** 2 + 0.01 * abs(math.log2(units / 64)))

    def _falling(self, number: int, end: float) -> Iterator[float]:
        for epoch in range(1, EPOCHS + 1):
            yield end + 0.5 * math.exp(-epoch / self.speed[number])


def nature(seed: int, spread: float, slow: bool) -> Nature:
    """`slow`: the best variant is the slowest one."""
    generator = np.random.default_rng((seed, 5))
    level = 0.5 + spread * generator.standard_normal(VARIANTS)
    speed = np.exp(generator.normal(math.log(3.0), 0.4, VARIANTS))
    if slow:
        speed[level.argmin()] = 2 * speed.max()
    return Nature(level, generator.uniform(0.1, 0.7, VARIANTS), speed, seed)


@dataclass(frozen=True)
class Recorded:
    """Real trainings of every configuration under several seeds: one is the search's, the others confirm."""

    curves: Mapping[str, np.ndarray[Any, Any]]  # by configuration, (S, E)
    seed: int  # of S, the search's

    def curve(self, config: TrialConfig) -> Sequence[float]:
        return [float(loss) for loss in self.curves[key_of(config.variant, config.drop_rate, config.units)][self.seed]]

    def confirmed(self, configs: Sequence[TrialConfig]) -> list[float]:
        ends = [self._ends(key_of(each.variant, each.drop_rate, each.units)) for each in configs]
        return [float(np.delete(each, self.seed)[:CONFIRMED].mean()) for each in ends]

    def reached(self, config: TrialConfig) -> float:
        return float(self._ends(key_of(config.variant, config.drop_rate, config.units)).mean())

    @property
    def best(self) -> tuple[str, float]:
        key, least = self.best_configuration
        return key.split("|")[0], least

    @cached_property
    def best_configuration(self) -> tuple[str, float]:
        """The configuration whose mean over the seeds is least, and that mean."""
        means = {key: float(self._ends(key).mean()) for key in self.curves}
        key = min(means, key=lambda each: means[each])
        return key, means[key]

    def _ends(self, key: str) -> np.ndarray[Any, Any]:
        return np.asarray(self.curves[key].min(axis=1))


def key_of(variant: str, rate: float, units: int) -> str:
    return f"{variant}|{rate:.1f}|{units}"


Curves = dict[str, np.ndarray[Any, Any]]  # by configuration, (S, E)
