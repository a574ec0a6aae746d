"""A confirmation that goes on until it is decided, as every reader sees it."""

from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest

from service.reports import html_report
from service.reports.charts.chart import Trace
from service.reports.charts.survivors import survivors_figure
from service.reports.drawing import draw
from service.reports.exports import TABLES
from service.reports.found.results import Results
from service.reports.sections import charts_of
from service.reports.words.naming import names
from service.reports.words.winner import end_of, verdict_of
from service.statistics import Outcome, Rules, decide
from service.storage.states import RunState, StudyState
from tests.reports.deciding import REPEATS, SEARCHED, decided, followed, losses
from tests.reports.knowing import examined
from tests.reports.reading import Page
from tests.reports.samples import study_of
from tests.reports.test_confirmation import CLEAR, confirmed, results_of

MEANS = {"none": 0.5, "dropout": 0.3, "dropconnect": 0.305, "gaussian_dropout": 0.32, "masksembles": 0.4}
LOSSES = losses({variant: (mean, 30) for variant, mean in MEANS.items()})
CLEARER = LOSSES | {"dropout": [value - 0.004 for value in LOSSES["dropout"]]}
UNDECIDED, WON = followed(LOSSES, most_repeats=7), followed(CLEARER)
EQUAL = followed(LOSSES, indifference=0.03)


def test_a_configuration_has_one_row_with_the_seeds_of_all_its_runs_in_their_order() -> None:
    shuffled = sorted(UNDECIDED.confirmations, key=lambda run: -run.run_id)
    found = confirmed(replace(UNDECIDED, confirmations=shuffled))
    assert len(UNDECIDED.confirmations) > len(MEANS), "several runs are of one configuration"
    assert [one.trial.variant for one in found.found] == [
        "dropout", "dropconnect", "gaussian_dropout", "masksembles", "none"
    ]  # fmt: skip
    for one in found.found:
        assert one.figures["test_loss"] == tuple(LOSSES[one.trial.variant][: one.seeds])
        assert one.trial.first_seed == SEARCHED
    assert [one.seeds for one in found.found][-1] == REPEATS < found.seeds, "the worst were dropped at once"


def test_intervals_are_the_decisions_last_ones_in_the_direction_of_the_metric() -> None:
    found = confirmed(WON)
    assert found.decision is not None
    rows = [one.figures["test_loss"] for one in found.found]
    expected = decide(rows, [seeds for seeds, _ in WON.study.looks], Rules(30))
    assert found.decision == expected
    for place, against in enumerate(found.to_winner, start=1):
        last = [one.bounds[place] for one in expected.rounds if place in one.bounds][-1]
        assert (against.mean, against.low, against.high) == (last.difference, last.low, last.high)
    spans = [list(found.spans(place)) for place in range(len(found.found))]
    turned = [list(replace(found, maximize=True).spans(place)) for place in range(len(found.found))]
    assert turned == [[(seeds, (-m, -high, -low)) for seeds, (m, low, high) in several] for several in spans]


def test_the_winner_is_named_with_when_the_others_were_dropped() -> None:
    found = confirmed(WON)
    last = WON.study.looks[-1][0]
    first, figure, promise, measured = verdict_of(WON, found)
    assert (
        first == f"dropout wins the confirmation: the 4 others are worse, the last of them dropped after {last} seeds."
    )
    assert figure.startswith("The mean test_loss of dropout is 0.")
    assert figure.endswith(f"over {last} fresh seeds.")
    assert promise.startswith(
        f"At most 5% of such confirmations drop the best at any of its {len(WON.study.looks)} looks"
    )
    assert "test split" in measured
    assert end_of(WON.study, found) == f"It ended after {last} seeds, because one configuration was left."
    pair = followed({"dropout": CLEARER["dropout"], "none": LOSSES["none"]})
    assert (
        verdict_of(pair, confirmed(pair))[0] == "dropout wins the confirmation: none is worse, dropped after 5 seeds."
    )


def test_practically_equal_ones_are_listed_with_the_reason_for_the_name() -> None:
    found = confirmed(EQUAL)
    seeds, left = EQUAL.study.looks[-1][0], [names(found)[place] for place in found.left]
    assert left == ["dropout", "dropconnect"]
    begin = (
        "dropout and dropconnect are practically equal: neither is more than 0.03 worse in test_loss than the other;"
    )
    assert verdict_of(EQUAL, found)[0] == f"{begin} dropout is named because its mean is the best."
    assert end_of(EQUAL.study, found).endswith("because all that were left lie within 0.03 of each other.")
    runs = {run.variant: run.run_id for run in reversed(EQUAL.confirmations)}
    chosen = {"recommended": runs["dropconnect"], "left": [runs["dropout"], runs["dropconnect"]]}
    stored = replace(EQUAL.study, decision={"outcome": "practically equal", "seeds": seeds, **chosen})
    cheapest = replace(EQUAL, study=stored)
    assert confirmed(cheapest).winner.trial.variant == "dropconnect"
    assert verdict_of(cheapest, confirmed(cheapest))[0] == f"{begin} dropconnect is named because it is the cheapest."
    preferring = followed(LOSSES, indifference=0.03, prefer="dropconnect")
    said = verdict_of(preferring, confirmed(preferring))[0]
    assert said == f"{begin} dropconnect is named because the study prefers it."
    assert "practically equal, named" in Page(html_report(preferring)).text


def test_an_undecided_one_says_who_may_be_as_good_and_how_it_goes_on() -> None:
    found = confirmed(UNDECIDED)
    further = "`pernodedrop confirm digits-noise --most-repeats 14` goes on."
    first, *_, promise, _ = verdict_of(UNDECIDED, found)
    rest = [names(found)[place] for place in found.left[1:]]
    assert first == f"Undecided after 7 seeds: dropout leads, {' and '.join(rest)} may be as good; {further}"
    assert promise.endswith("That nothing was decided does not show that those left are equal.")
    assert end_of(UNDECIDED.study, found) == "It ended after 7 seeds, the most that it was given."


def test_one_that_goes_on_says_how_many_are_left_and_shows_what_its_last_look_saw() -> None:
    results = followed(LOSSES, StudyState.RUNNING, until=7)
    seeds = results.study.looks[-1][0]
    found = confirmed(results)
    left = len(found.left)
    assert verdict_of(results, found) == [f"Not decided yet: {left} of 5 left after {seeds} seeds."]
    assert end_of(results.study, found) == (
        "It goes on until one configuration is left or 30 seeds are reached. The next look comes after 10 seeds."
    )
    fewer = replace(results, study=replace(results.study, looks=results.study.looks[:1]))
    assert {one.seeds for one in confirmed(fewer).found} == {REPEATS}, "figures are those of the last look"
    unseen = decided({variant: values[:REPEATS] for variant, values in LOSSES.items()}, [], StudyState.RUNNING)
    assert verdict_of(unseen, confirmed(unseen)) == [
        "Not decided yet: 5 configurations will be compared after 5 seeds."
    ]
    assert np.isinf([against.low for against in confirmed(unseen).to_winner]).all(), "before a look nothing is known"
    assert [*charts_of(unseen)].count("survivors") == 0
    assert "Not decided yet: 5 configurations" in Page(html_report(unseen)).text


def test_what_the_storage_decided_is_the_outcome() -> None:
    runs = {run.variant: run.run_id for run in reversed(UNDECIDED.confirmations)}
    decision = {"outcome": "winner", "seeds": 7, "recommended": runs["dropconnect"], "left": [runs["dropconnect"]]}
    results = replace(UNDECIDED, study=replace(UNDECIDED.study, decision=decision))
    found = confirmed(results)
    assert found.decision is not None
    assert (found.decision.outcome, found.winner.trial.variant, found.left) == (Outcome.WINNER, "dropconnect", (0,))
    assert verdict_of(results, found)[0].startswith("dropconnect wins the confirmation")


def test_a_fixed_confirmation_that_was_extended_spent_its_first_look_at_the_fixed_level() -> None:
    alike = dict.fromkeys(("dropout", "dropconnect"), (0.3, 12))
    results = decided(losses(alike), [5], until="fixed", repeats=12)
    study = replace(results.study, looks=((5, "fixed"),))
    found = confirmed(replace(results, study=study))
    rows = [one.figures["test_loss"] for one in found.found]
    assert found.decision == decide(rows, [5, 12], Rules(12, is_fixed_first=True)), "its end was a look too"
    first = verdict_of(replace(results, study=study), found)[0]
    assert first.startswith("Undecided after 12 seeds")
    assert first.endswith("`pernodedrop confirm digits-noise --until decided` goes on.")
    pair = decided({variant: LOSSES[variant][:12] for variant in ("dropout", "none")}, [5], until="fixed", repeats=12)
    pair = replace(pair, study=study)
    assert verdict_of(pair, confirmed(pair))[0] == (
        "dropout wins the confirmation: none is worse, told apart after 5 seeds."
    )
    assert {one.seeds for one in confirmed(pair).found} == {12}, "both were trained on"
    assert confirmed(results_of(CLEAR)).decision is None, "one that was not extended decides nothing"


@pytest.mark.parametrize("rule", ["fixed", "sequential"])
def test_what_a_look_has_said_stays_when_the_confirmation_is_extended_again(rule: str) -> None:
    """`fixed` is how earlier releases noted the end of an extension, whose figures had been shown by shared looks."""
    found = losses(dict.fromkeys(("dropout", "dropconnect"), (0.3, 20)))
    before = decided({variant: values[:12] for variant, values in found.items()}, [5], until="fixed", repeats=12)
    before = replace(before, study=replace(before.study, looks=((5, "fixed"),)))
    after = decided(found, [5, 12], until="fixed", repeats=20)
    after = replace(after, study=replace(after.study, looks=((5, "fixed"), (12, rule))))
    then, now = confirmed(before).decision, confirmed(after).decision
    assert then is not None
    assert now is not None
    assert len(now.rounds) == 3
    assert now.rounds[:2] == then.rounds


def test_who_diverged_or_lost_a_run_has_no_result_but_was_compared_before() -> None:
    results = followed(LOSSES | {"dropconnect": [*LOSSES["dropconnect"][:6], float("inf"), 0.3]}, most_repeats=7)
    [broken] = [run for run in results.confirmations if run.variant == "gaussian_dropout" and run.first_seed == 7]
    lost = replace(broken, state=RunState.FAILED, reason="ValueError: no such width")
    runs = [lost if run is broken else run for run in results.confirmations]
    found = confirmed(replace(results, confirmations=runs))
    assert [one.trial.variant for one in found.found] == ["dropout", "masksembles", "none"]
    assert [one.trial.variant for one in found.out] == ["dropconnect", "gaussian_dropout"]
    assert [len(list(found.spans(place))) for place in (3, 4)] == [1, 1], "at the first look"
    text = Page(html_report(replace(results, confirmations=runs))).text
    assert (
        "Without a result: dropconnect (test_loss not finite under some seed) and gaussian_dropout (ValueError:" in text
    )
    first = replace(runs[0], state=RunState.FAILED, reason="out of memory")
    without = confirmed(replace(results, confirmations=[first, *runs[1:]]))
    assert "none" not in [one.trial.variant for one in without.compared], "it never was"


def lines(traces: Sequence[Trace]) -> dict[str, Trace]:
    return {trace["name"]: trace for trace in traces if "error_y" in trace}


def test_the_picture_has_a_line_for_each_that_ends_where_it_was_dropped() -> None:
    found, looks = confirmed(WON), [seeds for seeds, _ in WON.study.looks]
    chart = charts_of(WON)["survivors"]
    go.Figure(chart.figure)  # raises for an unknown property or value
    drawn = lines(chart.figure["data"])
    assert list(drawn) == names(found)
    for place, name in enumerate(names(found)):
        spans = list(found.spans(place))
        assert [round(x) for x in drawn[name]["x"]] == [seeds for seeds, _ in spans], "beside its look"
        assert drawn[name]["y"] == [mean for _, (mean, _, _) in spans]
        bars = drawn[name]["error_y"]
        assert bars["array"] == [high - mean for _, (mean, _, high) in spans]
        assert bars["arrayminus"] == [mean - low for _, (mean, low, _) in spans]
    assert len(drawn["dropout"]["x"]) == len(looks)
    rings = [trace for trace in chart.figure["data"] if trace.get("marker", {}).get("symbol") == "circle-open"]
    assert [trace["x"][0] for trace in rings if not trace.get("name")] == [
        drawn[name]["x"][-1] for name in names(found)[1:]
    ]
    low, high = chart.figure["layout"]["yaxis"]["range"]
    assert not low <= drawn["none"]["y"][0] <= high, "who is far behind does not flatten the others"
    assert chart.caption.endswith(("1 line dropped by the first look is beyond the edge.",
                                   "2 lines dropped by the first look are beyond the edge."))  # fmt: skip
    ElementTree.fromstring(draw(chart.figure, "svg"))


def test_configurations_of_one_variant_have_names_of_their_own_in_the_picture() -> None:
    found = confirmed(WON)
    called = [f"{name} <b>" for name in names(found)]
    assert list(lines(survivors_figure(found, called)["data"])) == [f"{name} &lt;b&gt;" for name in names(found)]


def test_the_page_says_it_in_every_place() -> None:
    text = Page(html_report(WON)).text
    last = WON.study.looks[-1][0]
    assert text.count("dropout wins the confirmation: the 4 others are worse") == 1
    assert f"dropped after {last} seeds" in text
    assert "dropped after 5 seeds" in text
    assert "Its interval, over all looks" in text
    assert "5 to 30 fresh seeds until it is decided" in text
    assert "mean test_loss of the winner" in text
    assert "mean test_loss of one of 2 that are practically equal" in Page(html_report(EQUAL)).text
    assert "mean test_loss of the first, undecided" in Page(html_report(UNDECIDED)).text


def examined_too(results: Results) -> Results:
    """Every complete training's model, examined on two sets."""
    definition = study_of(confirmation={"repeats": REPEATS, "until": "decided"}, evaluation={"passes": 20}).definition
    examinations = [
        replace(examined(replace(run, run_id=(run.first_seed or 0) + i), i, inputs, noise=1.0), run_id=run.run_id)
        for run in results.confirmations
        for i in range(run.seeds or 0)
        for inputs in ("test", "held_out")
    ]
    return replace(results, study=replace(results.study, definition=definition), examinations=examinations)


def test_examinations_of_several_runs_are_the_seeds_of_one_configuration() -> None:
    results = examined_too(UNDECIDED)
    knows = results.knowledge
    assert knows is not None
    seeds = {one.trial.variant: one.seeds for one in confirmed(results).found}
    assert {one.trial.variant: len(one.seeds["test"]) for one in knows.found} == seeds
    assert (knows.repeats, knows.fewest) == (max(seeds.values()), REPEATS)
    [dropout] = [one for one in knows.found if one.trial.variant == "dropout"]
    runs = [run for run in results.confirmations if run.variant == "dropout"]
    by_seed = {run.first_seed + one.repeat: one for run in runs for one in results.examinations  # type: ignore[operator]
               if (one.run_id, one.inputs) == (run.run_id, "test")}  # fmt: skip
    assert list(dropout.seeds["test"]) == [by_seed[seed] for seed in sorted(by_seed)]
    ensembled = knows.ensemble(dropout)
    assert ensembled is not None
    assert ensembled.ensemble.members == seeds["dropout"]
    [worst] = [one for one in knows.found if one.trial.variant == "masksembles"]
    told = knows.estimates(worst, "held_out", "confidence")
    assert told is not None
    assert told["auroc"][1] is not None, "compared with the control under the seeds of both"
    table = {
        name: [row for piece in column.pieces() for row in piece]
        for name, column in TABLES["examinations"](results).items()
    }
    rows = zip(table["run"], table["repeat"], table["first_seed"], strict=True)
    assert {run: first for run, repeat, first in rows if repeat == 0} == {
        run.run_id: run.first_seed for run in results.confirmations
    }
    text = Page(html_report(results)).text
    assert f"means over 5 to {knows.repeats} seeds" in text
    assert "How many seeds a configuration has was decided by its test figures" in text


def test_one_that_an_earlier_release_dropped_is_dropped_still() -> None:
    """By a sample more under each of unequal folds, which has the variance of a step now: it got no further seeds."""
    samples = np.array([38, 37, 38, 37, 38, 37, 38])
    others = (3 + np.array([0, 1, -1, 0, 1, -1, 0])) / samples
    found = {"dropout": 3 / samples, "dropconnect": (4 / samples)[:5], "none": others}
    study = decided({variant: values.tolist() for variant, values in found.items()}, [5, 7], StudyState.RUNNING)
    confirmation = confirmed(study)
    assert not confirmation.out
    place = [one.trial.variant for one in confirmation.found].index("dropconnect")
    assert confirmation.dropped_after == {place: 5}
    assert "not finite" not in html_report(study)
