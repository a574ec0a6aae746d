"""What a run is and comes from: parameters, values, facts, code, device, weights and examinations."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.dashboard.trials.columns import figure
from service.reports.markup import Content, Html, element, table
from service.reports.words.wording import DASH, number, setting, size
from service.storage.provenance import CODE, Provenance
from service.storage.records import Examination, StudyRecord, TrialRecord, Weights, seeds_of
from service.storage.states import Origin, Stage

CHOSEN = {
    Origin.SAMPLER: "chosen by the sampler",
    Origin.GIVEN: "chosen by a person",
    Origin.OUTSIDE: "chosen by a person outside of the search space: the sampler does not learn from it",
}
DIGITS = 12  # of a digest


def pairs(named: Sequence[tuple[str, Content]]) -> Html:
    """Names with what they are, one a line."""
    shown = (element("div", element("dt", name), element("dd", value)) for name, value in named)
    return element("dl", *shown, class_="pairs")


def parameters(study: StudyRecord, run: TrialRecord) -> Html:
    fixed = study.definition.fixed
    named = [(name, _setting(value, is_fixed=name in fixed)) for name, value in run.params.items()]
    if not named:
        return element("p", "The sampler has not chosen yet.", class_="note")
    by = "of the search's configuration" if run.stage is Stage.CONFIRMATION else CHOSEN[run.origin]
    return element(
        "div", pairs(named), element("p", f"They were {by}." if by[0] == "c" else f"They are {by}.", class_="note")
    )


def _setting(value: Any, *, is_fixed: bool) -> Html:
    return element("span", setting(value), element("small", " fixed") if is_fixed else None)


def values(study: StudyRecord, run: TrialRecord) -> Html:
    named: list[tuple[str, Content]] = [
        (objective.tested if run.is_tested else objective.metric, _value(run, place))
        for place, objective in enumerate(study.definition.objectives)
    ]
    seeds = seeds_of(study.definition, run)
    named.append(("best epoch", DASH if run.best_epoch is None else f"{run.best_epoch:,}"))
    named.append(("epochs", f"{run.epoch:,} of {study.definition.epochs_under(run.seeds):,}"))
    numbers = f"number {seeds.start}" if len(seeds) == 1 else f"numbers {seeds.start} to {seeds.stop - 1}"
    named.append(("seeds", f"{len(seeds)}, {numbers}"))
    return pairs(named)


def _value(run: TrialRecord, place: int) -> str:
    return figure(run.values[place]) if run.values and place < len(run.values) else DASH


def facts(run: TrialRecord) -> Html:
    if not run.facts:
        return element("p", "It has said nothing of what it trains on.", class_="note")
    return pairs([(name.replace("_", " "), _fact(name, value)) for name, value in run.facts.items()])


def _fact(name: str, value: Any) -> str:
    if name.endswith("bytes") and isinstance(value, int | float):
        return size(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value, 6) if isinstance(value, int | float) else str(value)


def provenance(found: Provenance | None) -> Html:
    """Groups of facts, the code first; digests stand in full, so that they can be compared."""
    if found is None:
        return element("p", "Where it comes from is not recorded.", class_="note")
    order = sorted(found, key=lambda group: group != CODE)
    groups = [
        element("div", element("h3", group), pairs([(k, str(v)) for k, v in found[group].items()])) for group in order
    ]
    return element("div", *groups, class_="groups")


def weights(kept: Sequence[Weights], seeds: range) -> Html | None:
    """The weights that it has kept, or why there are none of a seed; None where nothing is noted."""
    rows = [
        (
            f"{seeds[one.repeat]}" if one.repeat < len(seeds) else f"{one.repeat}",
            element("code", one.digest) if one.digest else one.reason,
            f"{one.epoch:,}",
            size(one.size) if one.digest else DASH,
        )
        for one in kept
    ]
    return (
        table(["Seed", "SHA-256 of its file, or why there is none", "Epoch", "Size"], rows, words=2) if rows else None
    )


def examined(found: Sequence[Examination], seeds: range) -> Html | None:
    """What its models say of sets of inputs; None where it has no examination."""
    if not found:
        return None
    names = list(dict.fromkeys(name for one in found for name in one.figures))
    rows = [(f"{_seed(one, seeds)}", one.inputs, *_figures(one.figures, names)) for one in found]
    return table(["Seed", "Inputs", *names], rows, words=2)


def _seed(one: Examination, seeds: range) -> int:
    return seeds[one.repeat] if one.repeat < len(seeds) else one.repeat


def _figures(measured: Mapping[str, float], names: Sequence[str]) -> list[str]:
    return [figure(measured[name]) if name in measured else DASH for name in names]
