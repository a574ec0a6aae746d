"""How an optimizer is driven: the study's, or a task's own with what that may need beyond `step()`."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pernodedrop.layers.regularizing import noise_parameters
from search_spaces import TrialConfig
from workers.tasks.base import Task
from workers.training.optimizers import optimizer_of
from workers.training.randomness import Randomness
from workers.training.seeds import named_stream

State = dict[str, Any]
_INNER = "inner"  # the states of optimizers that an own one holds, in its own


class Driven:
    """The optimizer of a training; `is_own` says that it is the task's.

    Raises:
        ValueError: the task's hook returned something else than an optimizer of the model's parameters; the message is
            one line.
    """

    def __init__(self, task: Task, config: TrialConfig, model: nn.Module, device: torch.device, seed: int) -> None:
        self._task, self._config, self._model, self._device = task.spec.name, config, model, device
        own = None
        if type(task).optimizer is not Task.optimizer:
            with Randomness(named_stream(seed, "optimizer"), device).active():
                own = task.optimizer(model, config)
        self.is_own = own is not None
        self.optimizer = optimizer_of(model, config) if own is None else self._checked(own)
        self.needs_closure = self.is_own and _needs_closure(self.optimizer)
        self.has_modes = self.is_own and all(
            callable(getattr(self.optimizer, mode, None)) for mode in ("train", "eval")
        )
        self._rates = [group.get("lr") for group in self.optimizer.param_groups]

    def set_rate(self, rate: float) -> None:
        """Set the learning rate; a group that began with another one than the study's keeps its ratio to that.

        Raises:
            ValueError: a group has no learning rate that is a number.
        """
        usual = self._config.learning_rate
        for group, first in zip(self.optimizer.param_groups, self._rates, strict=True):
            if not isinstance(first, int | float):
                kind = "no learning rate" if first is None else f"a {type(first).__name__} as its learning rate"
                raise ValueError(f"{type(self.optimizer).__name__} has {kind}, so no schedule can set it: use a number")
            group["lr"] = rate if first == usual else first * (rate / usual)

    def begin(self) -> None:
        """Say that steps begin."""
        if self.has_modes:
            self.optimizer.train()  # type: ignore[attr-defined]

    def end(self) -> None:
        """Say that steps end: the model then is what the optimizer wants evaluated."""
        if self.has_modes:
            self.optimizer.eval()  # type: ignore[attr-defined]

    def zero_gradients(self) -> None:
        """Forget the gradients; those of parameters that an own optimizer leaves out too, which would grow."""
        (self._model if self.is_own else self.optimizer).zero_grad(set_to_none=True)

    def step(self, gradient: Callable[[], Tensor]) -> Tensor:
        """Take a step by the gradient that `gradient()` puts into the model; returns the loss that it gives."""
        if not self.needs_closure:
            loss = gradient()
            self.optimizer.step()
            return loss
        before = _Noise(self._model, self._device)
        loss = gradient()
        after = _Noise(self._model, self._device)

        def closure() -> Tensor:
            with before.again(after), torch.enable_grad():
                return gradient()

        self.optimizer.step(closure)  # type: ignore[arg-type]
        return loss

    def state(self) -> State:
        """What a checkpoint keeps.

        Raises:
            ValueError: it has something that no checkpoint holds.
        """
        state: State = self.optimizer.state_dict()
        if not self.is_own:
            return state
        inner = [one.state_dict() for one in self._inner()]
        state = {**state, _INNER: inner} if inner else state
        strange = next(_strange(state), None)
        if strange is not None:
            raise ValueError(
                f"optimizer of task {self._task} keeps a {strange} in its state, and a checkpoint holds tensors, "
                "numbers and texts: keep it elsewhere"
            )
        return state

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue with such a state."""
        if not self.is_own:
            self.optimizer.load_state_dict(dict(state))
            return
        outer = {name: value for name, value in state.items() if name != _INNER}
        held = self._inner()
        shared = [one.param_groups is self.optimizer.param_groups for one in held]
        _loaded(self.optimizer, outer)
        for one, is_shared, kept in zip(held, shared, state.get(_INNER, []), strict=True):
            _loaded(one, kept)
            if is_shared:
                one.param_groups = self.optimizer.param_groups

    def _inner(self) -> list[Optimizer]:
        """The optimizers that an own one is made of, whose state it may not tell."""
        values = [each for value in vars(self.optimizer).values() for each in _several(value)]
        return [each for each in values if isinstance(each, Optimizer) and each is not self.optimizer]

    def _checked(self, own: Any) -> Optimizer:
        rule = f"optimizer of task {self._task} must return a torch.optim.Optimizer of the model's parameters, or None"
        if not isinstance(own, Optimizer):
            kinds = f"a tuple of {len(own)}" if isinstance(own, tuple) else f"a {type(own).__name__}"
            remedy = ": give schedules in seams" if isinstance(own, tuple) else ""
            raise ValueError(f"{rule}, got {kinds}{remedy}")
        held = {id(parameter) for group in own.param_groups for parameter in group["params"]}
        names = {id(parameter): name for name, parameter in self._model.named_parameters()}
        strangers = len(held - names.keys())
        if strangers:
            raise ValueError(
                f"{rule}, got one with {strangers} other parameters: build it from the model that it is given"
            )
        left = [names[id(each)] for each in noise_parameters(self._model) if id(each) not in held]
        if left:
            raise ValueError(
                f"optimizer of task {self._task} leaves out what {self._config.regularizer} learns ({left[0]}): "
                "give it all of model.parameters()"
            )
        strange = next(
            _strange([{k: v for k, v in group.items() if k != "params"} for group in own.param_groups]), None
        )
        if strange is not None:
            raise ValueError(
                f"optimizer of task {self._task} has a {strange} in its param_groups, and a checkpoint holds tensors, "
                "numbers and texts: give schedules in seams"
            )
        return own


class _Noise:
    """The random states and buffers of a model at one moment of a step."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._buffers = list(model.buffers())
        self._values = [buffer.clone() for buffer in self._buffers]
        own = {getattr(module, "generator", None) for module in model.modules()}
        self._generators = [(each, each.get_state()) for each in own if isinstance(each, torch.Generator)]
        self._cpu = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        self._device = device

    @contextmanager
    def again(self, after: "_Noise") -> Iterator[None]:
        """Within it the model draws what it drew from this moment on; afterwards all is as at the moment `after`."""
        self._restore()
        try:
            yield
        finally:
            after._restore()

    @torch.no_grad()
    def _restore(self) -> None:
        for buffer, value in zip(self._buffers, self._values, strict=True):
            buffer.copy_(value)
        for generator, state in self._generators:
            generator.set_state(state)
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda, self._device)


def _needs_closure(optimizer: Optimizer) -> bool:
    """Whether its step must be given a closure: it says so, or its first argument has no default."""
    said = getattr(optimizer, "needs_closure", None)
    if said is not None:
        return bool(said)
    arguments = inspect.signature(optimizer.step).parameters.values()
    return any(each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD for each in arguments)


def _loaded(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Load the state with the types that it has: torch brings whatever belongs to a parameter to that one's type."""
    optimizer.load_state_dict(dict(state))
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, kept in state.get("state", {}).items():
        own = optimizer.state.get(parameters[index]) if type(index) is int else None
        if not isinstance(own, dict) or not isinstance(kept, Mapping):
            continue
        for name, value in kept.items():
            found = own.get(name)
            if isinstance(value, Tensor) and isinstance(found, Tensor) and found.dtype != value.dtype:
                own[name] = value.to(found.device, copy=True)


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _strange(value: Any) -> Iterator[str]:
    """The types within it that a checkpoint does not hold."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _strange(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strange(each)
    elif not (value is None or isinstance(value, Tensor) or type(value) in (int, float, bool, str)):
        yield type(value).__name__
