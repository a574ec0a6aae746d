"""A folder of `pernodedrop weights`: what its files say, checked. Nothing in it is code."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from search_spaces import Objective, TaskSpec, TrialConfig
from search_spaces.objective import SNAPSHOTS
from service.storage.artifacts import FOLDER_FORMAT, FOLDER_VERSION, MANIFEST
from workers.training.exporting import Form
from workers.trial.weights import FORMAT, HEAD, SNAPSHOT, VERSION


class BadWinner(ValueError):
    """The folder holds no model that can be built here; the message is one line with the remedy."""


@dataclass(frozen=True)
class Head:
    """What a file of weights says beside its tensors."""

    task: TaskSpec
    code: str  # the digest of an own task's source
    config: TrialConfig
    study_seed: int
    seed: int  # of the study's seeds
    splits_anew: bool
    folds: int | None
    epoch: int
    objective: Objective
    judged_by: str  # model, snapshots
    figures: Mapping[str, float]  # at the epoch, by "<split>_<metric>"
    form: Form
    why: str | None  # it is regularized
    drop_rate: float | None
    input: Mapping[str, Any] | None  # shape and dtype of one input

    @property
    def has_snapshots(self) -> bool:
        """Whether the training had figures of snapshots."""
        return any(name.endswith(SNAPSHOTS) for name in self.figures)

    @property
    def cost(self) -> float:
        """What the epoch was chosen by, such that less is better."""
        value = self.objective.of(self.figures)
        return float("inf") if value is None else self.objective.cost(value)


@dataclass(frozen=True)
class File:
    """One seed's weights: the state of the model, and of the snapshots that predict beside it."""

    head: Head
    model: Mapping[str, Tensor]
    snapshots: tuple[Mapping[str, Tensor], ...]


@dataclass(frozen=True)
class Folder:
    """What `winner.json` says, and the seeds' files."""

    told: Mapping[str, Any]
    files: tuple[File, ...]


def read_folder(folder: Path) -> Folder:
    """Read a folder that `pernodedrop weights` has written.

    Raises:
        BadWinner: it is none, a file is missing or was changed, or a later release has written it.
        OSError: it cannot be read.
    """
    try:
        told = json.loads((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise BadWinner(f"{folder} has no {MANIFEST}: write one by `pernodedrop weights STUDY -o {folder}`") from None
    except (ValueError, RecursionError, IsADirectoryError) as error:
        raise BadWinner(f"{folder / MANIFEST} is damaged ({error}): get it again") from None
    if not isinstance(told, dict) or told.get("format") != FOLDER_FORMAT:
        raise BadWinner(f"{folder / MANIFEST} must say format {FOLDER_FORMAT!r}: it is another program's")
    _check_version(told.get("version"), FOLDER_VERSION, folder / MANIFEST)
    return Folder(told, tuple(_file(folder / name, digest) for name, digest in _listed(told, folder / MANIFEST)))


def _listed(told: Mapping[str, Any], path: Path) -> list[tuple[str, str]]:
    """The names of the files, each in the folder itself, and their digests."""
    try:
        found = [(Path(one["file"]).name, str(one["sha256"])) for one in told["files"]]
    except (KeyError, TypeError):
        raise BadWinner(f"{path} must list its files, each with file and sha256: get it again") from None
    if missing := [name for name in ("study", "variant", "digest") if name not in told]:
        raise BadWinner(f"{path} does not say its {missing[0]}: get it again")
    if len({name for name, _ in found}) < len(found):
        raise BadWinner(f"{path} must list each file once: get it again")
    return found


def _file(path: Path, digest: str) -> File:
    if not path.is_file():
        raise BadWinner(f"{path} is missing, which {MANIFEST} lists: get it again")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise BadWinner(f"{path} was changed: its SHA-256 is not the one in {MANIFEST}")
    return read_file(data, path)


def read_file(data: bytes, path: Path) -> File:
    """Read a file of weights.

    Raises:
        BadWinner: it is none, or a later release has written it.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        length = int.from_bytes(data[:8], "little")
        told = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][HEAD])
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, MemoryError, RecursionError) as error:
        raise BadWinner(f"{path} holds no weights of this program ({type(error).__name__})") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise BadWinner(f"{path} must say format {FORMAT!r}: it is another program's")
    _check_version(told.get("version"), VERSION, path)
    try:
        head, several = _head(told), range(told["snapshots"])
        if len(several) > len(tensors):
            raise ValueError(f"there are no {len(several)} snapshots")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadWinner(f"{path} does not say all that it takes to build its model ({type(error).__name__})") from None
    snapshots = []
    for number in several:
        prefix = SNAPSHOT.format(number)
        names = [name for name in tensors if name.startswith(prefix)]
        snapshots.append({name.removeprefix(prefix): tensors.pop(name) for name in names})
    return File(head, tensors, tuple(snapshots))


def _head(told: Mapping[str, Any]) -> Head:
    names = ("code", "study_seed", "seed", "splits_anew", "folds", "epoch", "judged_by", "figures", "form", "why")
    if not all(isinstance(figure, int | float) for figure in told["figures"].values()):
        raise TypeError("a figure is a number")
    return Head(
        task=TaskSpec.model_validate(told["task"]),
        config=TrialConfig.from_params(told["configuration"]),
        objective=Objective.model_validate(told["objective"]),
        drop_rate=told["drop_rate"],
        input=told["input"],
        **{name: told[name] for name in names},
    )


def _check_version(version: object, known: int, path: Path) -> None:
    if version != known:
        raise BadWinner(f"{path} must have version {known}, got {version!r}: use the release that wrote it")
