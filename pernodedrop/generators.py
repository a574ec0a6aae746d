"""Explicit generators where torch looks after its default ones only: checkpoints, copies and workers that load data.

`torch.utils.checkpoint` restores the states of torch's default generators before it computes a forward pass again. Here
every draw from an explicit generator notes the generator's state in the checkpoints that it lies in, and draws from the
noted state when one of them computes it again.
"""

import copy
import hashlib
import os
import sys
from collections.abc import Callable, Container, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock, RLock
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from pernodedrop.by_generator import by_generator
from pernodedrop.checkpointing import begun_between, checkpoints_around

_REFUSAL = (
    "an explicit generator draws while a backward pass runs, outside what torch.utils.checkpoint computes again: "
    "use torch's default generator, whose state checkpoints restore"
)
_CHANGED = (
    "a checkpoint computed its forward pass again with other draws than before: "
    "let the checkpointed function draw the same in both, or use torch's default generator"
)


@dataclass
class _Notes:
    """The draws of one checkpoint in their order, and how far each of its repetitions has come."""

    draws: list[tuple[torch.Generator, Tensor]] = field(default_factory=list)
    at: dict[object, int] = field(default_factory=dict)
    states: list[tuple[Tensor, ...]] = field(default_factory=list)  # of masks that remember
    states_at: dict[object, int] = field(default_factory=dict)


class _Drawing:
    """A lock for each generator, as a noise may draw from others in other threads. It may draw in itself, too.

    A forked child has them anew: the threads that held them are none of its own.
    """

    def __init__(self) -> None:
        self._making = Lock()
        self._locks: MutableMapping[torch.Generator, RLock] = by_generator()

    def lock(self, generator: torch.Generator) -> RLock:
        with self._making:
            return self._locks.setdefault(generator, RLock())


_DRAWING = _Drawing()
os.register_at_fork(after_in_child=_DRAWING.__init__)  # type: ignore[misc]
_NOTES: WeakKeyDictionary[Any, _Notes] = WeakKeyDictionary()  # by what lives as long as the checkpoint's graph
_COPIES: MutableMapping[torch.Generator, int] = by_generator()
_OF_WORKER: MutableMapping[torch.Generator, torch.Generator] = by_generator()


def check_generator(generator: object) -> None:
    """Raises TypeError unless it is one, or None."""
    if generator is not None and not isinstance(generator, torch.Generator):
        remedy = f"torch.Generator().manual_seed({generator})" if isinstance(generator, int) else "torch.Generator()"
        raise TypeError(f"generator must be a torch.Generator or None, got {generator!r}: say {remedy}")


def in_this_pass(generator: torch.Generator, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
    """What `draw` draws from the given generator, or from one in its earlier state where a checkpoint computes again.

    In a process that loads data it is a separate one for each worker. Of several threads one draws from it at a time:
    else another might move the generator on between what is noted and what is drawn.

    Raises:
        RuntimeError: a backward pass runs, and it is not known which forward pass is computed again.
        TypeError: it is no generator, for example a seed.
    """
    check_generator(generator)
    info = get_worker_info()
    if info is not None:
        generator = _of_worker(generator, info.seed)
    in_backward = is_backward()
    if _is_once(in_backward):
        with _DRAWING.lock(generator):
            return draw(generator)
    begun, repeated = checkpoints_around(sys._getframe(1))
    if repeated is not None:
        generator = _noted(generator, *repeated)
    elif in_backward:
        raise RuntimeError(_REFUSAL)
    with _DRAWING.lock(generator):
        if begun:
            drawn = generator, generator.get_state()
            for token in begun:
                _NOTES.setdefault(token, _Notes()).draws.append(drawn)
        return draw(generator)


def state_of_this_pass(*state: Tensor) -> tuple[tuple[Tensor, ...], bool]:
    """The state that masks follow from, and whether they move it on: as it is, or as it was before the pass that a
    checkpoint computes again, which has moved it on already.

    Raises:
        RuntimeError: as `in_this_pass`.
    """
    in_backward = not torch.compiler.is_compiling() and is_backward()
    if torch.compiler.is_compiling() or _is_once(in_backward):
        return state, True
    begun, repeated = checkpoints_around(sys._getframe(1))
    if repeated is not None:
        notes, run = _NOTES.get(repeated[0], _Notes()), repeated[1]
        place = notes.states_at.get(run, 0)
        notes.states_at[run] = place + 1
        if place >= len(notes.states):
            raise RuntimeError(_CHANGED)
        state = notes.states[place]
    elif in_backward:
        raise RuntimeError(_REFUSAL)
    kept = tuple(part.clone() for part in state)
    for token in begun:
        _NOTES.setdefault(token, _Notes()).states.append(kept)
    return kept, repeated is None


def let_checkpoints_repeat(
    within: Callable[[], AbstractContextManager[Any]], until: FrameType | None, around: Container[object] = ()
) -> None:
    """Let the checkpoints begun from here out to the frame `until`, or to one that repeats, repeat within a context;
    not those that are `around` it, whose function enters it anew.

    What holds in a module's call, and is not the checkpointed function's own, does not hold when torch computes the
    function again in the backward pass, outside that call.
    """
    for token in begun_between(sys._getframe(1), until):
        name = _name_of_function(token)
        function = getattr(token, name)
        if token not in around and not _holds(function, within):
            setattr(token, name, _Within(function, within))


def begun_checkpoints() -> WeakSet[Any]:
    """The checkpoints around this call that are computed for the first time, up to one that repeats."""
    return WeakSet(begun_between(sys._getframe(1), None))


def repetition() -> tuple[object, object] | None:
    """The innermost checkpoint around this call that is computed again, with a name of the repetition."""
    return checkpoints_around(sys._getframe(1))[1] if is_backward() else None


def repeats_within(token: object, within: Callable[[], AbstractContextManager[Any]]) -> bool:
    """Whether `let_checkpoints_repeat` has let the checkpoint repeat within the context."""
    return _holds(getattr(token, _name_of_function(token)), within)


def _name_of_function(token: object) -> str:
    return "run_function" if hasattr(token, "run_function") else "recompute_fn"


@dataclass(frozen=True)
class _Within:
    """A checkpointed function, in a context that each of its repetitions enters."""

    function: Callable[..., Any]
    context: Callable[[], AbstractContextManager[Any]]

    def __call__(self, *args: Any) -> Any:
        with self.context():
            return self.function(*args)


def _holds(function: object, context: object) -> bool:
    while isinstance(function, _Within):
        if function.context == context:
            return True
        function = function.function
    return False


def copied(generator: torch.Generator, memo: dict[int, Any]) -> torch.Generator:
    """The generator of a deep copy: it draws other numbers than the given one and than any other copy.

    It follows from the generator's state and from how many copies there were, so that a program that is run again
    draws the same; the given generator does not move. `memo` is that of `copy.deepcopy`.
    """
    known = memo.get(id(generator))
    if known is None:
        known = copy.deepcopy(generator, memo)
    if torch.equal(known.get_state(), generator.get_state()):  # as the one deep copy that memo has may have moved on
        _COPIES[generator] = _COPIES.get(generator, 0) + 1
        known.manual_seed(_split(generator, f"copy {_COPIES[generator]}"))
    made: torch.Generator = known
    return made


def _of_worker(generator: torch.Generator, seed: int) -> torch.Generator:
    if generator not in _OF_WORKER:
        own = torch.Generator(generator.device)
        _OF_WORKER[generator] = own.manual_seed(_split(generator, f"worker {seed}"))
    return _OF_WORKER[generator]


def _split(generator: torch.Generator, name: str) -> int:
    """A seed below 2^63 that follows from the generator's state and the name."""
    state = generator.get_state().numpy().tobytes()
    return int.from_bytes(hashlib.blake2b(state + name.encode(), digest_size=8).digest(), "big") >> 1


def _noted(generator: torch.Generator, token: object, run: object) -> torch.Generator:
    notes = _NOTES.get(token, _Notes())
    place = notes.at.get(run, 0)
    notes.at[run] = place + 1
    if place >= len(notes.draws) or notes.draws[place][0].device != generator.device:
        raise RuntimeError(_CHANGED)
    again = torch.Generator(generator.device)
    again.set_state(notes.draws[place][1])
    return again


def is_backward() -> bool:
    """Whether this thread runs a part of a backward pass."""
    return torch._C._current_graph_task_id() != -1


def _is_once(in_backward: bool) -> bool:
    """Whether nothing computes this pass again."""
    return not in_backward and torch.is_grad_enabled() and not _saves_by_hooks()


def _saves_by_hooks() -> bool:
    return torch._C._autograd._top_saved_tensors_default_hooks(True) is not None
