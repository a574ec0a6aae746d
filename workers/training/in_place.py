"""Whether somebody's code has changed a tensor that others read afterwards: torch counts the changes of each."""

from typing import Any

from torch import Tensor

from workers.tasks.sparse_rows import SparseRows
from workers.tasks.structure import leaves


class ChangedInPlace(RuntimeError):
    """A model, loss or metric has changed data that are read again; the message is one line with the remedy."""


class Watched:
    """Tensors as they are; `changed` says whether their numbers were written to since.

    Views share their base's count. One operation that gives a tensor another shape, such as `unsqueeze_`, counts too,
    and changes no number. Tensors that were made in inference mode have no count: they are not watched.
    """

    def __init__(self, parts: Any) -> None:
        tensors = [tensor for _, part in leaves(parts) for tensor in _tensors(part) if not tensor.is_inference()]
        self._seen = [(tensor, tensor._version, tensor.shape, tensor.stride()) for tensor in tensors]

    @property
    def changed(self) -> bool:
        return any(
            tensor._version - version > ((tensor.shape, tensor.stride()) != (shape, stride))
            for tensor, version, shape, stride in self._seen
        )

    def require_unchanged(self, who: str, what: str) -> None:
        """Return if they are as they were; `who` had them, and `what` they are.

        Raises:
            ChangedInPlace: they are not.
        """
        if self.changed:
            raise ChangedInPlace(
                f"{who} must not change {what} in place, because they are read again: compute new ones, as x = x * 2 "
                "does and x *= 2 or x.mul_(2) does not"
            )


def _tensors(part: Any) -> list[Tensor]:
    if isinstance(part, SparseRows):
        return [part.columns, part.values, part.offsets]
    return [part] if isinstance(part, Tensor) else []
