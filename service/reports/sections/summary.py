"""What a report says of the study itself: what was asked, where it stands, what it has cost, how to run it again."""

import json
from datetime import UTC, datetime
from typing import Any

from search_spaces import Confirmation as AskedConfirmation
from search_spaces import StudyShape
from search_spaces.completion import without_implied_trials
from service.reports.found.confirmed import Confirmation, confirmation_of
from service.reports.found.results import Results
from service.reports.markup import Content, Html, element
from service.reports.sections.noted import noted
from service.reports.sections.section import facts, section
from service.reports.words.naming import names
from service.reports.words.task_code import codes_in, listed
from service.reports.words.winner import undecided
from service.reports.words.wording import DASH, decimal, duration, moment, places_for, plural, setting
from service.statistics import Outcome
from service.storage.states import FINISHED_STATES, OPEN_STATES, RunState, StudyState


def head(results: Results) -> Html:
    study = results.study
    state = element("span", study.state.value, class_=f"pill {study.state.value}")
    return element(
        "header",
        element("p", "Report of a study", class_="kicker"),
        element("h1", study.name, " ", state),
        element("p", study.definition.description) if study.definition.description else None,
        *noted(study),
        _asked(results),
        _tiles(results),
        element("p", f"This study has paused itself: {results.study.pause}.", class_="note")
        if results.study.pause
        else None,
        *(element("p", sentence, class_="note") for sentence in _partly(results)),
    )


def _partly(results: Results) -> list[str]:
    """The sentences that say what of a very large study the report was made from."""
    said = []
    if results.every_trial > 1:
        said.append(
            f"This study is so large that one of {results.every_trial} trials was read, and the best ones: counts of "
            "trials below the tiles are of those."
        )
    if results.every_curve > 1:
        said.append(
            f"The learning curves of one of {results.every_curve} trials were read, and those of the best: what is "
            "said of single epochs, seeds and seconds is of those."
        )
    return said


def definition(results: Results) -> Html:
    """The definition as it was submitted, to run it again."""
    written = json.dumps(_submittable(results.study.definition), indent=2)
    return section(
        "Definition",
        element(
            "details",
            element("summary", "The study's definition, defaults left out"),
            element("pre", element("code", written)),
        ),
    )


def _submittable(study: StudyShape) -> dict[str, Any]:
    """The definition without its defaults, except for those that a definition without them would not get."""
    study = without_implied_trials(study)
    said = study.model_dump(mode="json", exclude_defaults=True) | {"search": study.search, "seed": study.seed}
    for name, dimension in study.search_space.items():
        said["search_space"][name] = {"type": dimension.type, **said["search_space"][name]}
    for name, part in (("sampler", study.sampler), ("pruner", study.pruner)):
        if name in said:
            said[name] = {"name": part.name, **said[name]}
    return said


def _asked(results: Results) -> Html:
    study, definition = results.study, results.study.definition
    task = [definition.task.name, plural(definition.task.epochs, "epoch")]
    if definition.task.train_size is not None:
        task.append(f"{definition.task.train_size:,} training samples")
    if definition.task.precision != "float32":
        task.append(definition.task.precision)
    task += [f"{name} {setting(value)}" for name, value in definition.task.options.items()]
    return facts(
        (
            ("Task", ", ".join(task)),
            *(("Code of the task", listed(codes)) for codes in [codes_in(results)] if codes),
            ("Objective", "; ".join(f"{o.direction} {o.metric}" for o in definition.objectives)),
            ("Sampler", _sampler(definition) + _knowing(results)),
            *((("Trials dealt by", definition.search),) if definition.is_race else ()),
            ("Pruner", definition.pruner.name),
            ("Seeds", _seeds(definition)),
            ("Confirmation", _confirmation(definition.confirmation)),
            ("Submitted", moment(study.created_at)),
            ("Finished", moment(study.finished_at)),
        )
    )


def _sampler(definition: StudyShape) -> str:
    lag = definition.sampler.lag
    said = f"{definition.sampler.name}, seed {definition.search_seed}"
    if lag is not None:
        return f"{said}, lag {lag}"
    return f"{said}; a repetition may visit other configurations (no lag)" if definition.varies_with_the_fleet else said


def _knowing(results: Results) -> str:
    study = results.study
    earlier = study.definition.start_from
    return "" if earlier is None else f"; it knew the {plural(study.knows, 'trial')} of study {earlier}"


def _seeds(definition: StudyShape) -> str:
    own = "" if definition.seed == definition.search_seed else f", drawn from seed {definition.seed}"
    return f"{definition.repeats} per configuration{own}"


def _confirmation(asked: AskedConfirmation | None) -> str:
    if asked is None:
        return "none"
    best = f"the best {plural(asked.top, 'configuration')} of each variant"
    if asked.is_decided:
        return f"{best}, {asked.repeats} to {asked.most} fresh seeds until it is decided"
    return f"{best}, {asked.repeats} fresh seeds"


def _tiles(results: Results) -> Html:
    finished = sum(results.count(state) for state in FINISHED_STATES)
    budget, booked = results.study.definition.budget, results.study.booked_epochs
    limit = "" if budget.wall_time is None else f" of {duration(budget.wall_time)}"
    best = results.best_first[0].values if results.best_first else None
    shown = DASH if best is None else " / ".join(decimal(value, places_for([value])) for value in best)
    metric = " / ".join(objective.metric for objective in results.study.definition.objectives)
    return element(
        "div",
        _tile(shown, f"{metric}, the search's best"),
        _winner(results),
        None if budget.epochs is None else _tile(f"{booked:,} / {budget.epochs:,}", "epochs taken of the budget"),
        _tile(f"{finished:,} / {results.study.definition.trials:,}", "trials finished of the budget", _states(results)),
        _tile(
            str(len(results.compared)),
            "variant compared" if len(results.compared) == 1 else "variants compared",
            _without_result(results),
        ),
        _tile(duration(_elapsed(results)) + limit, "wall time"),
        class_="tiles",
    )


def _winner(results: Results) -> Html | None:
    confirmed = confirmation_of(results)
    if confirmed is None or results.study.state is not StudyState.COMPLETE or not confirmed.left:
        return None
    mean = confirmed.winner.mean(confirmed.metric)
    title = f"mean {confirmed.metric} of {_whose(confirmed)}"
    return _tile(decimal(mean, places_for([mean])), title, names(confirmed)[confirmed.named])


def _whose(confirmed: Confirmation) -> str:
    if not undecided(confirmed):
        return "the winner"
    if confirmed.decision is None:
        return "the first, no winner yet"
    is_equal = confirmed.decision.outcome is Outcome.EQUAL
    return f"one of {len(confirmed.left)} that are practically equal" if is_equal else "the first, undecided"


def _tile(figure: str, meaning: str, detail: Content = None) -> Html:
    return element(
        "div",
        element("strong", figure),
        element("span", meaning),
        element("small", detail) if detail else None,
        class_="tile",
    )


def _states(results: Results) -> str:
    shown = (RunState.COMPLETE, RunState.PRUNED, RunState.FAILED, RunState.CANCELLED, *OPEN_STATES)
    return ", ".join(f"{results.count(state):,} {state.value}" for state in shown if results.count(state))


def _without_result(results: Results) -> str:
    count = len(results.variants) - len(results.compared)
    return f"{count} without a complete trial" if count else ""


def _elapsed(results: Results) -> float | None:
    begun = results.study.started_at
    if begun is None:
        return None
    return max(0.0, ((results.study.stood_at or datetime.now(UTC)) - begun).total_seconds())
