"""The page of one run: a trial of the search, or a run of the confirmation."""

from starlette.requests import Request
from starlette.responses import Response

from service.dashboard.orders.buttons import trial_buttons
from service.dashboard.shell import page
from service.dashboard.study.heading import heading
from service.dashboard.trials import origin
from service.dashboard.trials.attempts import attempts_of
from service.dashboard.trials.columns import figure
from service.dashboard.trials.curves import curves_of, last_seconds
from service.dashboard.trials.filters import Filters, condition_of
from service.dashboard.trials.marks import optuna_address, pill, variant_tag
from service.reports.markup import Content, Html, element
from service.reports.words.wording import duration, moment, size
from service.storage.database.database import Database
from service.storage.errors import UnknownTrial
from service.storage.records import StudyRecord, TrialRecord, seeds_of
from service.storage.runs import keeping, logs
from service.storage.states import OPEN_STATES, RunState, Stage
from service.storage.studies import curves, examinations, provenances, studies, trials
from service.times import part_with_a_worker, span

LARGEST = 2**31 - 1  # number of a trial


def search_trial(request: Request) -> Response:
    return _shown(request, Stage.SEARCH)


def confirmation_run(request: Request) -> Response:
    return _shown(request, Stage.CONFIRMATION)


def _shown(request: Request, stage: Stage) -> Response:
    database: Database = request.app.state.database
    study = studies.get(database, request.path_params["name"])
    number = _number(study, stage, request.path_params["number"])
    run = trials.get(database, study, number, stage)
    parts = _parts(database, study, run)
    name = stage.called(number)
    return page(
        request,
        f"{name.capitalize()} of {study.name}",
        heading(request, study, "Trials"),
        element(
            "main",
            _title(request, study, run, number),
            *(_part(title, content) for title, content in parts if content is not None),
            class_="run",
            data_live=run.state in OPEN_STATES,
        ),
        styles=["trials.css"],
        scripts=["trial.js"],
    )


def _number(study: StudyRecord, stage: Stage, text: str) -> int:
    """The number in the path. Raises UnknownTrial: it is none."""
    if text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= LARGEST:
        return int(text)
    raise UnknownTrial(study.name, f"{stage.called(0).removesuffix(' 0')} {text[:60]!r}: it is a number from 0")


def _title(request: Request, study: StudyRecord, run: TrialRecord, number: int) -> Html:
    kind = "confirmation" if run.stage is Stage.CONFIRMATION else "trials"
    below = f"studies/{study.name}"
    optuna = optuna_address(study, run)
    same = condition_of({name: value for name, value in run.params.items() if name not in study.definition.fixed})
    alike = Filters(variant=run.variant, sort="value").address(f"{below}/trials") if run.variant else None
    return element(
        "div",
        element("h1", run.stage.called(number).capitalize(), " ", pill(run.state)),
        trial_buttons(request, study, run),
        element("p", variant_tag(run.variant), class_="which") if run.variant else None,
        element("p", run.reason, class_="reason") if run.reason else None,
        element("p", _when(run), class_="when"),
        element(
            "nav",
            element("a", "Before", href=f"{below}/{kind}/{number - 1}", rel="prev") if number else None,
            element("a", "Next", href=f"{below}/{kind}/{number + 1}", rel="next") if _has_next(study, run) else None,
            element("a", "All runs", href=f"{below}/trials"),
            element("a", "Runs of this variant", href=alike) if alike else None,
            element("a", "Runs of this configuration", href=Filters(where=same).address(f"{below}/trials"))
            if same
            else None,
            element("a", "In Optuna", href=optuna) if optuna else None,
            class_="links",
            aria_label="Other runs",
        ),
        class_="card of-run",
        data_part="title",
    )


def _has_next(study: StudyRecord, run: TrialRecord) -> bool:
    """Whether a run with the next number has begun, as far as the study's counts say."""
    if run.stage is Stage.CONFIRMATION:
        return (run.place or 0) + 1 < sum(study.confirmation.values())
    begun = sum(study.counts[state] for state in (*RunState,) if state is not RunState.WAITING)
    return (run.number or 0) + 1 < begun


def _when(run: TrialRecord) -> str:
    if run.started_at is None:
        return "It has not begun."
    if run.finished_at is None:
        return f"Began {moment(run.started_at)}, worker {run.worker or 'none now'}."
    took = f", {duration(run.duration_s)}" if run.duration_s is not None else ""
    return f"{span(run.started_at, run.finished_at)}{took}{_held(run)}."


def _held(run: TrialRecord) -> str:
    """How much of its time workers had the run, where it also waited or was paused."""
    spent = part_with_a_worker(run.duration_s, run.spent_s)
    return "" if spent is None else f", of which workers had it for {duration(spent)}"


def _parts(database: Database, study: StudyRecord, run: TrialRecord) -> list[tuple[str, Content]]:
    points = curves.of_run(database, run.run_id)
    seeds = seeds_of(study.definition, run)
    kept = keeping.of_runs(database, [run.run_id]).get(run.run_id, ())
    seconds = last_seconds(points)
    memory = max((point.value for point in points if point.metric == "peak_bytes"), default=None)
    measured: list[tuple[str, Content]] = [
        *([("time of an epoch", f"{figure(seconds)} s")] if seconds is not None else []),
        *([("most memory of its tensors", size(memory))] if memory is not None else []),
    ]
    return [
        ("Parameters", origin.parameters(study, run)),
        ("Values", origin.values(study, run)),
        ("Device", element("div", origin.facts(run), origin.pairs(measured) if measured else None)),
        ("Curves", curves_of(study, run, points)),
        ("Attempts", element("div", *attempts_of(logs.of_run(database, run.run_id)))),
        ("Weights", origin.weights(kept, seeds)),
        ("Examinations", origin.examined(examinations.of_run(database, run.run_id), seeds)),
        ("Where it comes from", origin.provenance(provenances.of_run(database, study.definition, run))),
    ]


def _part(title: str, content: Content) -> Html:
    name = title.lower().replace(" ", "-")
    return element("section", element("h2", title), content, class_=f"card part {name}", data_part=title)
