"""What is kept of a generator is kept while somebody holds it, with torch's releases before 2.13 too."""

import threading
import weakref
from collections.abc import MutableMapping

import pytest
import torch

from pernodedrop.by_generator import Swept, by_generator


@pytest.mark.parametrize("made", [by_generator, Swept])
def test_values_stay_with_the_generators_that_are_held(made: type[MutableMapping[torch.Generator, int]]) -> None:
    kept: MutableMapping[torch.Generator, int] = made()
    held = [torch.Generator() for _ in range(100)]
    for number, generator in enumerate(held):
        kept[generator] = number
    for _ in range(10_000):
        kept[torch.Generator()] = -1
    assert [kept[generator] for generator in held] == list(range(100))
    assert len(kept) < 400  # twice those that are held, and the last few


def test_a_value_is_freed_with_its_swept_generator() -> None:
    kept: Swept[threading.Event] = Swept()
    values = weakref.WeakSet[threading.Event]()
    for _ in range(1000):
        event = threading.Event()
        values.add(event)
        kept[torch.Generator()] = event
    assert len(values) < 128


def test_a_swept_dictionary_is_one() -> None:
    kept: Swept[int] = Swept()
    one, other = torch.Generator(), torch.Generator()
    assert (kept.setdefault(one, 1), kept.setdefault(one, 2)) == (1, 1)
    assert other not in kept
    kept[other] = 3
    assert list(kept.items()) == [(one, 1), (other, 3)]
    del kept[one]
    assert len(kept) == 1
