"""Where a part runs, and how large its sizes are."""

from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from benchmarks.gpu.findings import NotHere

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """The device of a part; with `small` sizes a CPU and Triton's interpreter show that the part itself works."""

    device: torch.device
    small: bool

    def pick(self, full: T, small: T) -> T:
        """The size for this run."""
        return small if self.small else full

    def take_triton_on_the_cpu(self) -> None:
        """From here on, the Triton kernels serve CPU tensors in this process, through their interpreter.

        Raises:
            NotHere: this version of Triton's interpreter fails with this version of NumPy.
        """
        from pernodedrop.backends import gpu, kernel, stirred_product  # the last names the operators
        from pernodedrop.backends.factors import Factors, from_tensor

        names = [f"{stirred_product.OPERATOR}{suffix}" for suffix in ("", "_gradients")]
        functions: tuple[Any, Any] = (gpu.product, gpu.gradients)
        for name, function in zip(names, functions, strict=True):
            torch.library.register_kernel(name, "cpu", lambda *args, of=function: of(*args[:-1], from_tensor(args[-1])))
        stirred_product._runs_at_once = lambda *_: False  # which spares the operator where numba's kernel would run
        kernel.INSTALLED |= {"cpu"}  # with or without numba
        try:
            gpu.product(torch.ones(1, 1, 1), torch.ones(1, 1), torch.tensor([0]), Factors(1, 1))
        except Exception as error:
            reason = f"Triton's interpreter fails here: {error}"[:300]
            raise NotHere(f"{reason}: Triton 3.9 or NumPy below 2.4 is needed for --cpu") from error
