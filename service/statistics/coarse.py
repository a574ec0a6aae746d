"""Figures of few values, such as an accuracy over n examples: the least step between any two of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray
from scipy import special

from service.statistics.interval import ROUNDING

MOST_EXAMPLES = 1_000  # with more, figures are as good as continuous
REDUCED = 4  # times as many examples as any seed shows: figures such as 34/38 and 36/38 show 19
PRECISION = 2.0**-22  # relative: a quotient in single precision, rounded twice more
HIDDEN = 1 / 4  # of a whole number
LIKELY = 1e-6  # the chance that continuous figures pass for coarse ones

Rows = Sequence[Sequence[float]]


def step_of_shares(rows: Rows) -> float:
    """The least step of figures that count examples, by several configurations' values under the same seeds.

    A seed's figures may be of other examples than another's: folds of 37 and 38 have steps of 1/37 and 1/38. So under
    each seed we look for the least number of examples of whose inverse all its values are whole multiples, and take the
    step of the seed that has the most. Rows may have different lengths; values that are not finite say nothing.

    0 where the values are no such shares: then some seed needs more than MOST_EXAMPLES, or continuous values would
    look so by chance, all seeds taken together (Fisher's combination of their chances). 0, too, where all values are
    one, which shows no step. The step found is the true one or a multiple of it.
    """
    numbers, counts, unlikely = list[int](), list[int](), 0.0
    several = {value for value in chain.from_iterable(rows) if math.isfinite(value)}
    if len(several) < 2:
        return 0.0
    for values in _by_seed(rows):
        number, chance = _examples(values)
        if number == 0:
            return 0.0
        numbers.append(number)
        counts += np.rint(values * number).astype(np.int64).tolist()
        unlikely -= math.log(chance)
    if special.gammaincc(len(numbers), unlikely) > LIKELY:
        return 0.0
    common = math.lcm(*numbers)
    return math.gcd(*counts) / (common if common <= REDUCED * max(numbers) else max(numbers))


def largest_step(values: NDArray[np.float64]) -> float:
    """The largest step that finite figures of one number allow, if they count examples; 0 of several numbers.

    0.95 is of 20 examples or a multiple of that, so its step is 1/20 at most; that of 1 is 1. 0, too, where it takes
    more than MOST_EXAMPLES, because no seed changes a fine figure, and beyond 1, where no share is.
    """
    several = np.unique(values)
    number = _examples(several)[0] if len(several) == 1 and abs(several[0]) <= 1 else 0
    return 1 / number if number else 0.0


@dataclass(frozen=True)
class Steps:
    """The steps between the figures of several configurations, each a row of values under the same seeds."""

    rows: Rows

    def of(self, own: Sequence[float]) -> float:
        """The step that the figures of one configuration may be off by chance; 0 where nothing shows one.

        It is that of shares of examples. Of other figures it is the least difference of any two, more than PRECISION of
        the configuration's own, and only if these are all equal.
        """
        largest = max(map(abs, own), default=0.0)
        gaps = self._gaps[self._gaps > PRECISION * largest]
        if not len(gaps) or not math.isfinite(largest):
            return 0.0
        is_constant = max(own) - min(own) <= ROUNDING * largest
        return self._of_shares or (float(gaps.min()) if is_constant else 0.0)

    @cached_property
    def _gaps(self) -> NDArray[np.float64]:
        """The differences of neighbouring values."""
        return np.diff(np.unique([value for value in chain.from_iterable(self.rows) if math.isfinite(value)]))

    @cached_property
    def _of_shares(self) -> float:
        return step_of_shares(self.rows)


def _by_seed(rows: Rows) -> Iterator[NDArray[np.float64]]:
    """The finite values under each seed that has some."""
    for each in zip_longest(*rows, fillvalue=math.nan):
        values = np.array(each, np.float64)
        if np.isfinite(values).any():
            yield values[np.isfinite(values)]


def _examples(values: NDArray[np.float64]) -> tuple[int, float]:
    """The least number of examples that explains one seed's values, 0 if none does; and the chance of one so small.

    The chance is that of as many continuous values of these sizes. A value of 0 is a multiple of everything, and one so
    large that PRECISION hides its fraction is no share.
    """
    numbers, chances = np.arange(1, MOST_EXAMPLES + 1), np.ones(MOST_EXAMPLES)
    fits = np.ones(MOST_EXAMPLES, dtype=bool)
    if PRECISION * np.abs(values).max() >= HIDDEN:
        return 0, 1.0
    for value in np.unique(values[values != 0]):
        multiples, off = value * numbers, PRECISION * abs(value) * numbers
        fits &= (np.abs(multiples - np.rint(multiples)) <= off) & (off < HIDDEN)
        if not fits.any():
            return 0, 1.0
        chances *= np.minimum(1, 2 * off)
    first = int(fits.argmax())
    return int(numbers[first]), min(1.0, float(chances[: first + 1].sum()))
