"""A study with a long history: what it costs a new worker to read it, and to ask for a trial.

The trials are trained for no time by the code that workers run, up to `MODELS`; the rest are copies of these.
"""

import multiprocessing
import statistics
import time
import warnings
from collections.abc import Callable

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage
from optuna.trial import Trial, TrialState

from search_spaces import StudyDefinition
from search_spaces.optuna import build_pruner, build_sampler, suggest
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.optuna import trials as optuna_trials
from service.storage.records import Lease, StudyRecord
from service.storage.runs import asking, claiming, holding
from service.storage.states import RunState
from service.storage.studies import studies

REPORTS = 20  # of every trial
MODELS = 100  # trials that are copied
RUNNING = 64
ASKS = 20

_COPY = """
    CREATE TEMP TABLE copies ON COMMIT DROP AS
        SELECT trial_id AS model, nextval('trials_trial_id_seq') AS trial_id, t.number + :models * copy AS number
        FROM trials t, generate_series(1, :copies) copy WHERE study_id = :study ORDER BY copy, t.number;
    INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete)
        SELECT c.trial_id, c.number, study_id, state, datetime_start, datetime_complete
        FROM copies c JOIN trials t ON t.trial_id = c.model;
    INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)
        SELECT c.trial_id, param_name, CASE param_name WHEN 'learning_rate'
            THEN 10 ^ (-4 + 3 * random()) ELSE param_value END, distribution_json
        FROM copies c JOIN trial_params p ON p.trial_id = c.model;
    INSERT INTO trial_values (trial_id, objective, value, value_type)
        SELECT c.trial_id, objective, random(), value_type FROM copies c JOIN trial_values v ON v.trial_id = c.model;
    INSERT INTO trial_user_attributes (trial_id, key, value_json)
        SELECT c.trial_id, key, value_json FROM copies c JOIN trial_user_attributes a ON a.trial_id = c.model;
    INSERT INTO trial_system_attributes (trial_id, key, value_json)
        SELECT c.trial_id, key, value_json FROM copies c JOIN trial_system_attributes a ON a.trial_id = c.model;
    INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
        SELECT c.trial_id, step, random(), intermediate_value_type
        FROM copies c JOIN trial_intermediate_values i ON i.trial_id = c.model;
"""


def measure_history(url: str, definition: StudyDefinition, trials: int) -> str:
    """Fill the study with so many trials and return the figures as a table in Markdown."""
    with Database.open(url) as db:
        study = studies.create(db, definition)
        for _ in range(MODELS):
            _train(db, *_ask(db, study))
        with db.engine.begin() as connection:
            values = {"study": study.optuna_study_id, "models": MODELS, "copies": trials // MODELS - 1}
            for statement in _COPY.split(";\n")[:-1]:
                connection.execute(sa.text(statement), values)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))  # as the server does by itself after a while
    rows = {
        "Optuna's own reader, all trials": _apart(_read_by_optuna, url, study),
        "a new worker: open and read all trials": _apart(_read_by_us, url, study),
        "ask, nothing else running": _apart(_asks, url, study),
    }
    with Database.open(url) as db:
        for _ in range(RUNNING):
            lease, _ = _ask(db, study)
            for step in range(1, REPORTS):
                holding.record_epoch(db, lease, step, [], (step, 1 / step))
    rows[f"ask, {RUNNING} trials with {REPORTS - 1} reports running"] = _apart(_asks, url, study)
    lines = [f"| {trials:,} trials of {REPORTS} reports | s | s of CPU of the client |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {wall:.3f} | {cpu:.3f} |" for name, (wall, cpu) in rows.items()]
    return "\n".join(lines) + "\n"


def _apart(
    call: Callable[[str, StudyRecord], list[tuple[float, float]]], url: str, study: StudyRecord
) -> tuple[float, float]:
    """The medians of what `call` measured in a process of its own, which has nothing in its caches."""
    with multiprocessing.get_context("spawn").Pool(1, warnings.simplefilter, ("ignore",)) as pool:
        walls, cpus = zip(*pool.apply(call, (url, study)), strict=True)
    return statistics.median(walls), statistics.median(cpus)


def _read_by_optuna(url: str, study: StudyRecord) -> list[tuple[float, float]]:
    storage = RDBStorage(url)
    clock = _Clock()
    storage.get_all_trials(study.optuna_study_id, deepcopy=False)
    return [clock.read()]


def _read_by_us(url: str, study: StudyRecord) -> list[tuple[float, float]]:
    clock = _Clock()
    with Database.open(url) as db:
        db.optuna.get_all_trials(study.optuna_study_id, deepcopy=False)
        return [clock.read()]


def _asks(url: str, study: StudyRecord) -> list[tuple[float, float]]:
    """Of every ask, from the lease to the parameters; the first reads the history and is left out."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    measured = []
    with Database.open(url) as db:
        for _ in range(ASKS + 1):
            lease, loaded = _leased(db, study)
            clock = _Clock()
            trial = _suggested(db, study, lease, loaded)
            measured.append(clock.read())
            _train(db, lease, trial)
    return measured[1:]


class _Clock:
    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Seconds, and seconds of this process's CPU, since it was made."""
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def _ask(db: Database, study: StudyRecord) -> tuple[Lease, Trial]:
    lease, loaded = _leased(db, study)
    return lease, _suggested(db, study, lease, loaded)


def _leased(db: Database, study: StudyRecord) -> tuple[Lease, optuna.Study]:
    worker_id = workers.register(db, "history", 0, "cpu")  # one holds one run
    lease = claiming.claim(db, worker_id, 3600)
    assert lease is not None
    sampler = build_sampler(study.definition, lease.ordinal)
    return lease, optuna_trials.load_study(db, study.optuna_study_id, sampler, build_pruner(study.definition))


def _suggested(db: Database, study: StudyRecord, lease: Lease, loaded: optuna.Study) -> Trial:
    trial_id = asking.ask(db, loaded, lease)
    trial = optuna_trials.open_trial(loaded, trial_id)
    asking.suggested(db, lease, trial, lambda trial: suggest(trial, study.definition))
    holding.attach(db, lease, trial_id, trial.number, trial.params)
    return trial


def _train(db: Database, lease: Lease, trial: Trial) -> None:
    for step in range(1, REPORTS + 1):
        holding.record_epoch(db, lease, step, [], (step, 1 / step))
    loaded = trial.study
    holding.finish(
        db, lease, RunState.COMPLETE, tell=lambda: optuna_trials.tell(loaded, trial, TrialState.COMPLETE, [1 / REPORTS])
    )
