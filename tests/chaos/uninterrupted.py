"""The same run trained without any interruption, to be compared bit for bit."""

from pathlib import Path

import torch

from search_spaces import TrialConfig
from service.storage.assignments.progress import EpochDone
from service.storage.database.database import Database
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import Stage
from service.storage.studies import curves
from tests.chaos import own_loop
from workers.trial.messages import Order
from workers.trial.orders import train

Figures = dict[tuple[int, int, str], float]  # by repeat, epoch and metric


def stored(db: Database, trial: TrialRecord) -> Figures:
    """What the workers measured, without the clock's readings."""
    points = curves.of_run(db, trial.run_id)
    return _timeless({(p.repeat, p.epoch, f"{p.split}_{p.metric}"): p.value for p in points})


def trained(study: StudyRecord, trial: TrialRecord, folder: Path) -> Figures:
    """The same, trained here in one go and without pauses."""
    definition, task = study.definition, study.definition.task
    if task.is_external:
        return own_loop.trained(study, trial)
    confirms = trial.stage is Stage.CONFIRMATION
    hurried = {name: 0 if name == "pause" else value for name, value in task.options.items()}
    order = Order(
        task=task.model_copy(update={"options": hurried}),
        config=TrialConfig.from_params(trial.params),
        study_seed=definition.seed,
        repeats=trial.seeds or definition.repeats,
        first_seed=trial.first_seed or 0,
        tested_by=definition.objectives[0] if confirms else None,
        data_folder=folder,
    )
    torch.set_num_threads(1)  # as the workers have
    reports = train(order, torch.device("cpu"), lambda _: None)
    done = [report for report in reports if isinstance(report, EpochDone)]
    return _timeless({(d.repeat, d.epoch, name): value for d in done for name, value in d.metrics.items()})


def _timeless(figures: Figures) -> Figures:
    return {key: value for key, value in figures.items() if "seconds" not in key[2]}
