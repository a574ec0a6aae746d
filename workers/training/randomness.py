"""A trial's use of torch's global generators, from which nn.Dropout and other layers draw."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def beside(order: torch.Generator, device: torch.device) -> Iterator[None]:
    """Draw within it from a stream that follows from the state of `order`, a generator on the CPU, and leaves it so."""
    twin = torch.Generator("cpu")
    twin.set_state(order.get_state())
    seed = int(torch.randint(1 << 62, (1,), generator=twin, device="cpu"))
    with Randomness(seed, device).active():
        yield


class Randomness:
    """A stream of random numbers that is torch's global one while it is active, and waits otherwise.

    So two trainings in one process do not disturb each other, nor does the code that runs between two epochs.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        with self._global_state_kept():
            torch.default_generator.manual_seed(seed)
            if device.type == "cuda":
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            self._state = self._global_state()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Draw from this stream inside the block; the global state is restored after it."""
        with self._global_state_kept():
            torch.set_rng_state(self._state["cpu"])
            if "cuda" in self._state:
                torch.cuda.set_rng_state(self._state["cuda"], self._device)
            yield
            self._state = self._global_state()

    def state_dict(self) -> dict[str, Any]:
        """The state of the stream; do not call it while the stream is active."""
        return dict(self._state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state of another stream."""
        self._state = dict(state)

    def _global_state(self) -> dict[str, Any]:
        state = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self._device)
        return state

    @contextmanager
    def _global_state_kept(self) -> Iterator[None]:
        with torch.random.fork_rng([self._device] if self._device.type == "cuda" else []):
            yield
