"""Record the learning curves of every configuration of a study, for searches that are replayed on them.

    python -m benchmarks.recording benchmarks/recorded/rcv1.yaml --into rcv1.json.gz     # trains the study's grid
    python -m benchmarks.recording my-study.zip --into mine.json.gz                      # a study's capsule has them
    python -m benchmarks.pausing --curves mine.json.gz

A definition is trained on one core, without a service, as its workers would train it: every configuration under the
study's first seed, then under the next. FILE is written after every seed; what is done of the next one is kept in
FILE.part, and the same command goes on from there. A capsule has the curves of a finished study in its Parquet file.
The recording says which data, network, subset, seeds, epochs and versions its curves are of.
"""

import argparse
import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from benchmarks.truths import Curves, key_of
from search_spaces import InvalidDefinition, StudyDefinition, StudyShape, TrialConfig, parse_definition
from search_spaces.yaml_text import NotYaml, read_yaml
from service.settings import Settings
from service.storage.capsule import BadCapsule, read_capsule, unpacked
from service.storage.capsule.content import curves_of
from service.storage.states import RunState, Stage
from workers.tasks import DataUnavailable, load_task
from workers.training import Training
from workers.training.seeds import repeat_seed
from workers.trial.provenance import provenance_of

CPU = torch.device("cpu")
Recording = dict[str, Any]  # study, provenance, and curves: of each configuration (S, E), as lists


class CannotRecord(ValueError):
    """The study's curves cannot be replayed."""


def configurations(study: StudyShape) -> dict[str, TrialConfig]:
    """Those of the study's grid, by their keys, in order.

    Raises:
        CannotRecord: the study has no grid or does not minimize, or two configurations have one key.
    """
    if not study.sampler.visits_grid:
        raise CannotRecord(f"{study.name}: the sampler must be grid, got {study.sampler.name}")
    objective = study.objectives[0]
    if objective.direction != "minimize":
        raise CannotRecord(f"{study.name}: the first objective must be minimized, {objective.metric} is maximized")
    found: dict[str, TrialConfig] = {}
    for point in study.grid:
        config = TrialConfig.from_params({**study.fixed, **point})
        key = key_of(config.variant, config.drop_rate, config.units)
        if key in found:
            raise CannotRecord(f"{study.name} has {key} twice: search variants, drop_rate and units alone")
        found[key] = config
    return found


def trained(study: StudyDefinition, data: Path, part: Path, seeds: int) -> Iterator[Recording]:
    """Train the study's grid under so many of its seeds; what is recorded after each of them.

    Raises:
        CannotRecord: see `configurations`; a loss is not finite; or `part` is of other trainings.
        Whatever the task raises.
    """
    configs, metric = configurations(study), study.objectives[0].metric
    task = load_task(study.task, data)
    facts = Training(task, next(iter(configs.values())), epochs=1, seed=0, device=CPU).facts
    provenance = provenance_of(task, dict(facts), CPU)
    known = _known(part, json.loads(json.dumps({"study": replayed(study), "provenance": provenance})))
    curves: dict[str, list[list[float]]] = {key: [] for key in configs}
    for repeat in range(seeds):
        for key, config in track(configs.items(), description=f"{study.name}, seed {repeat}"):
            curve = known.get((key, repeat))
            if curve is None:
                seed = repeat_seed(study.seed, repeat)
                training = Training(task, config, epochs=study.task.epochs, seed=seed, device=CPU)
                curve = _losses(key, [epoch.metrics[metric] for epoch in training.epochs()])
                _append(part, [key, repeat, curve])
            curves[key].append(curve)
        yield {"study": replayed(study), "provenance": [provenance], "curves": curves}


def of_capsule(file: Path) -> Recording:
    """What a study's capsule has: the search's complete runs, under all their seeds.

    Raises:
        BadCapsule: it is no capsule.
        CannotRecord: see `configurations`; or some of them have no complete run or no loss of an epoch.
    """
    capsule = read_capsule(*unpacked(file))
    study, metric = capsule.definition, capsule.definition.objectives[0].metric
    runs = [run for run in capsule.runs if run.stage is Stage.SEARCH and run.state is RunState.COMPLETE]
    run_of = {TrialConfig.from_params({**study.fixed, **run.params}): run for run in runs}
    configs, figures = configurations(study), curves_of(capsule, [run.run for run in runs])
    lacking = [key for key, config in configs.items() if config not in run_of]
    if lacking:
        raise CannotRecord(f"{study.name}: {len(lacking)} have no complete run, {lacking[0]} is one: finish the study")
    epochs, curves = range(1, study.task.epochs + 1), {}
    for key, config in configs.items():
        told = figures.get(run_of[config].run, {})
        curves[key] = [
            _losses(key, [told.get((seed, epoch, metric), math.nan) for epoch in epochs])
            for seed in range(run_of[config].seeds)
        ]
    return {"study": replayed(study), "provenance": list(capsule.provenances.values()), "curves": curves}


def replayed(study: StudyShape) -> dict[str, Any]:
    """The parts of a definition that say what its curves are of."""
    parts = study.model_dump(mode="json", exclude_unset=True)
    kept = ("name", "description", "task", "objectives", "search_space", "fixed", "seed")
    return {part: parts[part] for part in kept if part in parts}


def read(file: Path) -> tuple[dict[str, Any], Curves]:
    """The definition's parts and the curves of a recording, or of a study's capsule (.zip).

    Raises:
        CannotRecord: it is neither, or see `of_capsule`.
        BadCapsule: the capsule cannot be read.
    """
    if file.suffix == ".zip":
        recording = of_capsule(file)
    else:
        content = file.read_bytes()
        recording = json.loads(gzip.decompress(content) if file.suffix == ".gz" else content)
        if not isinstance(recording, dict) or not {"study", "curves"} <= recording.keys():
            raise CannotRecord(f"{file} has no study and curves: write it by python -m benchmarks.recording")
    return recording["study"], {key: np.array(curves) for key, curves in recording["curves"].items()}


def write(file: Path, recording: Recording) -> None:
    """Write the recording as JSON; a file that ends in .gz is compressed. The same one gives the same bytes."""
    text = json.dumps(recording, separators=(",", ":")).encode()
    file.write_bytes(gzip.compress(text, mtime=0) if file.suffix == ".gz" else text)


def _known(part: Path, about: Mapping[str, Any]) -> dict[tuple[str, int], list[float]]:
    """The curves that an earlier command has left, by configuration and seed; `part` begins with what they are of."""
    lines = part.read_text().splitlines(keepends=True) if part.exists() else []
    whole = [line for line in lines if line.endswith("\n")]  # a command may have been cut off within one
    first, *curves = map(json.loads, whole or [json.dumps(about)])
    if first != about:
        raise CannotRecord(f"{part} has curves of another study, data or version: remove it")
    part.write_text("".join(whole) or f"{json.dumps(about)}\n")
    return {(key, repeat): curve for key, repeat, curve in curves}


def _append(part: Path, told: Any) -> None:
    with part.open("a") as file:
        file.write(json.dumps(told) + "\n")


def _losses(key: str, losses: Sequence[float]) -> list[float]:
    """The losses to six digits."""
    for epoch, loss in enumerate(losses, start=1):
        if not math.isfinite(loss):
            raise CannotRecord(f"{key} has the loss {loss} after epoch {epoch}: leave it out of the grid")
    return [float(f"{loss:.6g}") for loss in losses]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="a definition, to be trained, or a capsule")
    parser.add_argument("--into", type=Path, metavar="FILE", required=True)
    parser.add_argument("--data", type=Path, help="the folder of the data sets; else PERNODEDROP_DATA")
    parser.add_argument("--seeds", type=_positive, help="the first so many of the study's; else all of its repeats")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        _record(options)
    except (CannotRecord, BadCapsule, InvalidDefinition, DataUnavailable, NotYaml, OSError) as error:
        raise SystemExit(str(error)) from error


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return int(text)


def _record(options: argparse.Namespace) -> None:
    if options.study.suffix == ".zip":
        write(options.into, of_capsule(options.study))
        return
    study = parse_definition(read_yaml(options.study.read_text()))
    data = options.data or Settings.from_environment().data_folder
    part = options.into.with_name(f"{options.into.name}.part")
    seeds = options.seeds or study.repeats
    for recording in trained(study, data, part, seeds):
        write(options.into, recording)
    if seeds >= study.repeats:
        part.unlink()


if __name__ == "__main__":
    main()
