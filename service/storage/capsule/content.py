"""What a capsule says: the study's definition, its runs with their seeds, where they come from, and their curves."""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pernodedrop.installation import MissingPackage
from search_spaces import InvalidDefinition, StudyShape, parse_shape
from search_spaces.objective import metric_name
from search_spaces.problems import shown
from search_spaces.scalars import ParameterName, Scalar
from service.storage.capsule.archive import Manifest
from service.storage.capsule.plain_json import BadCapsule, plain_json
from service.storage.provenance import Provenance, checked, digest_of
from service.storage.states import RunState, Stage

DEFINITION, RUNS, PROVENANCE, CURVES = "definition.json", "runs.json", "provenance.json", "curves.parquet"
REPORT, REQUIREMENTS, EXAMINATIONS = "report.html", "requirements.txt", "examinations.json"
MOST_RUNS = 1_000_000
MOST_UNFOLDED = 2**32  # bytes of the curves in memory
MOST_SEEDS = 10_000
_COLUMNS = {
    "run": "int64",
    "repeat": "int64",
    "epoch": "int64",
    "split": "string",
    "metric": "string",
    "value": "double",
}

Figures = dict[tuple[int, int, str], float]  # by repeat (from 0), epoch (from 1) and metric ("val_loss")


class CapsuleRun(BaseModel):
    """A run of the study. It is named by `number` in the search and by `place` in the confirmation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: int = Field(ge=1)  # its id in the queue, by which the curves name it
    stage: Stage
    number: int | None = Field(ge=0)
    place: int | None = Field(ge=0)
    state: RunState
    variant: str = Field(max_length=2000)
    params: dict[ParameterName, Scalar]
    values: list[float | None] | None  # null for what is not finite
    best_epoch: int | None
    epoch: int
    first_seed: int = Field(ge=0, le=2**31)  # of the study's seeds
    seeds: int = Field(ge=1, le=MOST_SEEDS)
    facts: dict[str, bool | int | float | str]
    provenance: str | None  # its digest, of provenance.json
    reason: str | None
    started_at: str | None
    finished_at: str | None

    @property
    def name(self) -> str:
        """The run as people call it: "trial 12"."""
        number = self.number if self.stage is Stage.SEARCH else self.place
        return f"run {self.run}" if number is None else self.stage.called(number)


class _Runs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    recommended: list[int] = Field(max_length=MOST_RUNS)
    runs: list[CapsuleRun] = Field(max_length=MOST_RUNS)


@dataclass(frozen=True)
class Capsule:
    """A study, as far as it must be known to train its runs again."""

    definition: StudyShape
    runs: tuple[CapsuleRun, ...]
    recommended: tuple[int, ...]  # ids of the runs of the recommended configuration
    provenances: Mapping[str, Provenance]
    curves: bytes  # Parquet
    examinations: bytes | None = None  # JSON, as `examined` reads it; None in a capsule without any

    def provenance_of(self, run: CapsuleRun) -> Provenance | None:
        """Where the run came from; None for a run of an earlier release."""
        return None if run.provenance is None else self.provenances[run.provenance]


def files_of(
    definition: StudyShape,
    runs: Iterable[CapsuleRun],
    recommended: Iterable[int],
    provenances: Mapping[str, Provenance],
) -> dict[str, bytes]:
    """The files from which `read_capsule` makes the capsule, but for the curves."""
    told = {"recommended": list(recommended), "runs": [run.model_dump(mode="json") for run in runs]}
    return {
        DEFINITION: _written(definition.model_dump(mode="json")),
        RUNS: _written(told),
        PROVENANCE: _written(dict(sorted(provenances.items()))),
    }


def read_capsule(manifest: Manifest, files: Mapping[str, bytes]) -> Capsule:
    """The capsule in the files of an archive.

    Raises:
        BadCapsule: a file is missing or is not what it should be, or the definition has another shape.
    """
    for name in (DEFINITION, RUNS, PROVENANCE, CURVES):
        if name not in files:
            why = manifest.missing.get(name)
            raise BadCapsule(f"the capsule has no {name}{f' ({shown(why)})' if why else ''}: pack the study again")
    try:
        definition = parse_shape(_object(files, DEFINITION))
    except InvalidDefinition as error:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        raise BadCapsule(f"{DEFINITION} cannot be read: {error.problems[0].message}{more}") from error
    told = _runs(files)
    provenances = _provenances(files)
    known = {run.run for run in told.runs}
    if len(known) < len(told.runs) or not known.issuperset(told.recommended):
        raise BadCapsule(f"{RUNS} must have every run once, and only such among the recommended")
    for run in told.runs:
        if run.provenance is not None and run.provenance not in provenances:
            raise BadCapsule(f"{PROVENANCE} lacks the provenance of {run.name}")
    return Capsule(
        definition, tuple(told.runs), tuple(told.recommended), provenances, files[CURVES], files.get(EXAMINATIONS)
    )


def curves_of(capsule: Capsule, runs: Collection[int]) -> dict[int, Figures]:
    """Every figure that the capsule has of these runs, by their ids; runs without a curve are left out.

    Raises:
        BadCapsule: the curves are no Parquet, lack a column, or are too many.
        MissingPackage: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingPackage("Parquet", "pyarrow", "export") from error
    found: dict[int, Figures] = {}
    try:
        source = pq.ParquetFile(pa.BufferReader(capsule.curves))
        _check_columns({field.name: str(field.type) for field in source.schema_arrow})
        groups = range(source.metadata.num_row_groups)
        if sum(source.metadata.row_group(index).total_byte_size for index in groups) > MOST_UNFOLDED:
            raise BadCapsule(f"{CURVES} must unfold into at most {MOST_UNFOLDED:,} bytes")
        wanted = pa.array(list(runs), pa.int64())
        for index in groups:
            rows = source.read_row_group(index, columns=list(_COLUMNS), use_threads=False).drop_null()
            rows = rows.filter(pc.is_in(rows["run"], wanted))
            cells = (rows[name].to_pylist() for name in _COLUMNS)
            for run, repeat, epoch, split, metric, value in zip(*cells, strict=True):
                found.setdefault(run, {})[repeat, epoch, metric_name(split, metric)] = value
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise BadCapsule(f"{CURVES} cannot be read: {' '.join(str(error).split())[:120]}") from error
    return found


def _check_columns(there: Mapping[str, str]) -> None:
    for name, kind in _COLUMNS.items():
        if there.get(name) != kind:
            raise BadCapsule(f"{CURVES} must have a column {name} of {kind}, got {there.get(name, 'none')}")


def number_or_none(value: float) -> float | None:
    """The value as JSON can say it."""
    return value if math.isfinite(value) else None


def _written(data: Any) -> bytes:
    return json.dumps(data, indent=1, allow_nan=False).encode() + b"\n"


def _object(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    read = plain_json(files[name], name)
    if not isinstance(read, dict):
        raise BadCapsule(f"{name} must be an object")
    return read


def _runs(files: Mapping[str, bytes]) -> _Runs:
    try:
        return _Runs.model_validate(_object(files, RUNS))
    except ValidationError as error:
        _refuse(RUNS, error)


def _provenances(files: Mapping[str, bytes]) -> dict[str, Provenance]:
    try:
        found = {digest: checked(content) for digest, content in _object(files, PROVENANCE).items()}
    except BadCapsule:
        raise
    except ValueError as error:
        raise BadCapsule(f"{PROVENANCE}: {error}") from error
    for digest, content in found.items():
        if digest_of(content) != digest:
            raise BadCapsule(f"{PROVENANCE} was changed: {shown(digest)} is not the SHA-256 of what it names")
    return found


def _refuse(name: str, error: ValidationError) -> NoReturn:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    raise BadCapsule(f"{name} is wrong at {shown(where)}: {first['msg']}, got {shown(first['input'])}") from error
