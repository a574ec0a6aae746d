"""The answer as one puts it into a paper: the confirmation's table, every run, and the methods section."""

import csv
import io
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pernodedrop.names import REGULARIZERS as KNOWN_REGULARIZERS
from search_spaces import parse_definition
from search_spaces.pruners import PRUNERS as KNOWN_PRUNERS
from search_spaces.samplers import SAMPLERS as KNOWN_SAMPLERS
from search_spaces.trial_config import TrialConfig
from search_spaces.yaml_text import read_yaml
from service.reports import Results
from service.reports.exports import (
    NotConfirmed,
    Table,
    confirmation_table,
    csv_of,
    latex,
    latex_of,
    markdown,
    markdown_of,
    methods_of,
    text_table,
    trial_table,
)
from service.reports.exports.text_table import TextTable
from service.reports.found.confirmed import confirmation_of
from service.reports.found.recommended import recommended_of
from service.reports.words.recommended import fixed_block, recommendation
from service.reports.words.references import PRUNERS, REGULARIZERS, SAMPLERS
from service.statistics import AllPairs, paired_difference
from service.storage.states import Origin, RunState, StudyState
from tests.reports.samples import curve_of, params_of, study_of, trial_of
from tests.reports.test_confirmation import CLEAR, CLOSE, points_of, run_of

THREE = {**CLOSE, "gaussian_dropout": [0.41, 0.42, 0.40, 0.43, 0.41]}
SEARCHED = {"dropout": (0.3, 0.5), "dropconnect": (0.2, 0.3), "gaussian_dropout": (0.1, 0.2)}
ASKED = {"repeats": 2, "confirmation": {"repeats": 5}}


def answered(found: dict[str, list[float]] = THREE, state: StudyState = StudyState.COMPLETE) -> Results:
    """Three variants, searched under two seeds and confirmed under five."""
    searched = [
        trial_of(i, [sum(SEARCHED[variant]) / 2], params=params_of(variant, drop_rate=0.2))
        for i, variant in enumerate(found)
    ]
    searched.append(trial_of(9, [0.05], params=params_of("dropconnect", drop_rate=0.7), state=RunState.PRUNED, epoch=1))
    curves = {
        trial.run_id: [p for r, final in enumerate(SEARCHED[trial.variant]) for p in curve_of(final, 8, repeat=r)]
        for trial in searched
    }
    runs = [
        replace(run_of(place, variant), place=place, facts={"torch": "2.13.0", "confirmed_on": "test"})
        for place, variant in enumerate(found)
    ]
    curves |= {run.run_id: points_of(found[run.variant]) for run in runs}
    return Results(study_of(searched, state, **ASKED), searched, curves, runs)


ANSWER = answered()
NOTHING = Results(study_of(), [], {})


def rows_in(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_of(table).decode())))


def test_a_row_has_the_search_beside_the_confirmation() -> None:
    rows = rows_in(confirmation_table(ANSWER, "dropout"))
    assert [(row["rank"], row["variant"], row["search_val_loss"]) for row in rows] == [
        ("1", "dropconnect", "0.25"),
        ("2", "dropout", "0.4"),
        ("3", "gaussian_dropout", "0.15000000000000002"),
    ]
    last = rows[-1]
    own, reference = THREE["gaussian_dropout"], THREE["dropout"]
    assert [float(last[f"test_loss_seed_{seed}"]) for seed in range(5)] == own
    searched = [float(last[f"search_val_loss_seed_{seed}"]) for seed in range(2)]
    assert searched == pytest.approx(SEARCHED["gaussian_dropout"])
    alone = paired_difference(own, reference)
    pairs = AllPairs(np.array([THREE[row["variant"]] for row in rows])).difference(2, 1)
    for name, expected in (("difference", pairs), ("alone", alone)):
        bounds = [float(last[f"{name}_{bound}"]) for bound in ("low", "high")]
        assert bounds == pytest.approx([expected.low, expected.high])
    assert float(last["difference"]) == pytest.approx(alone.mean)
    assert (last["compared_with"], last["seeds_won"], last["interval"]) == ("dropout", "0", "Student's t")
    assert float(last["search_difference"]) == pytest.approx(-0.25)
    assert rows[1]["difference"] == rows[1]["alone_low"] == ""


def test_without_a_reference_the_first_row_is_compared_with() -> None:
    confirmation = confirmation_of(ANSWER)
    assert confirmation is not None
    rows = rows_in(confirmation_table(ANSWER))
    assert {row["compared_with"] for row in rows} == {"dropconnect"}
    lows = [float(row["difference_low"]) for row in rows[1:]]
    assert lows == pytest.approx([difference.low for difference in confirmation.to_winner])


def test_a_variant_that_was_not_confirmed_is_no_reference() -> None:
    with pytest.raises(NotConfirmed, match=r"choose one of dropconnect, dropout, gaussian_dropout$"):
        confirmation_table(ANSWER, "zoneout")
    with pytest.raises(NotConfirmed, match=r"none was confirmed yet$"):
        text_table(NOTHING, "dropout")


def test_every_run_has_a_row() -> None:
    rows = rows_in(trial_table(ANSWER))
    assert [(row["stage"], row["trial"], row["place"]) for row in rows] == [
        *(("search", str(number), "") for number in (0, 1, 2, 9)),
        *(("confirmation", "", str(place)) for place in range(3)),
    ]
    pruned, confirmed = rows[3], rows[-1]
    assert (pruned["state"], pruned["params_drop_rate"]) == ("pruned", "0.7")
    assert (pruned["val_loss"], pruned["epochs"]) == ("0.05", "1")
    assert (pruned["first_seed"], pruned["seeds"], pruned["seeds_trained"]) == ("0", "2", "2")
    assert (confirmed["first_seed"], confirmed["seeds"], confirmed["seeds_trained"]) == ("2", "5", "5")
    assert (confirmed["val_loss"], confirmed["test_loss"], confirmed["seconds"]) == ("", "0.0", "3.0")
    assert confirmed["spent_seconds"] == "2.5"
    assert (confirmed["facts_torch"], confirmed["best_epoch"]) == ("2.13.0", "8")


def test_markdown_has_a_cell_for_every_column() -> None:
    written = markdown_of(text_table(ANSWER, "dropout")).decode()
    table = [line for line in written.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]
    assert len({len(row) for row in cells}) == 1
    header, _, first, *_ = cells
    told = dict(zip(header, first, strict=True))
    assert (told["Variant"], told["Configuration"], told["Seeds won"]) == ("dropconnect", "drop_rate 0.2", "2 of 5")
    assert told["val_loss of the search"] == "0.2500"
    assert told["by seed"] == "0.2000, 0.3000"
    assert re.fullmatch(r"0\.1960 \(0\.\d{4} to 0\.\d{4}\)", told["test_loss (95%)"])
    assert told["to dropout (simultaneous 95%)"].startswith("-0.0040 (-0.")
    assert "5 fresh seeds on the test split" in written


EVIL = "\\{}$&#_%^~<>|\"'`[*]--?!\N{EM DASH}\N{CYRILLIC SMALL LETTER DE}\x1b\u202e\xe9"


def test_no_text_breaks_the_tables() -> None:
    table = TextTable(EVIL, (EVIL, "b"), 1, ((f"[{EVIL}", "-0.1 to +2e-05\n*"),), (EVIL,))
    written = latex_of(table, "a-b").decode()
    bare = re.sub(r"\\(?:[{}$&#_%]|symbol\{\d+\}|text\w+\{\}|\\)", "", written)  # what stands for a character
    for line in (line for line in bare.splitlines() if "0.1" in line):
        assert not set('\\~^"`') & set(line)
        assert line.count("&") == 1
    assert "$-$0.1 to $+$2e$-$05" in written
    assert r"{[}" in written
    assert "\x1b" not in written
    assert "U+0434" in written
    assert "-{}-" in written
    assert written.count("{") == written.count("}")
    lines = [line for line in markdown_of(table).decode().splitlines() if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in lines)
    assert latex.escaped("drop_rate") == r"drop\_rate"
    assert latex.escaped("-4e-05 (-5e-05 to +1)") == "$-$4e$-$05 ($-$5e$-$05 to $+$1)"
    assert markdown.escaped("drop_rate _a <b> $x$") == r"drop_rate \_a \<b\> \$x\$"


def test_latex_puts_intervals_below_figures() -> None:
    lines = latex_of(text_table(ANSWER, whole=False), "digits-noise").decode().splitlines()
    start = lines.index(r"\midrule")
    assert lines[start + 1].startswith("dropconnect & 0.1960 &  &")
    assert re.match(r"drop\\_rate 0\.2 & \(0\.\d{4} to 0\.\d{4}\) & ", lines[start + 2])
    assert {line.count("&") for line in lines if line.endswith(r"\\")} == {3}
    assert lines[-1] == r"\end{table}"


def test_the_methods_claim_what_was_recorded_alone() -> None:
    said = methods_of(ANSWER).decode()
    for words in (
        "Models of the task digits were trained for 8 epochs.",
        "searched by the sampler tpe (",
        "in 4 trials (3 complete and 1 pruned)",
        "dropconnect 2 (1 complete, 1 pruned, 9 epochs)",
        "under 2 seeds (numbers 0 to 1 of the study's seed 7)",
        "trained again under 5 seeds (numbers 2 to 6 of the study's seed 7)",
        "test_loss is of the test split at that epoch, which chose neither configuration nor epoch.",
        "trained with PyTorch 2.13.0.",
        "did not record the versions of pernodedrop, Optuna and Python.",
        "doi:10.2202/1544-6115.1027",
    ):
        assert words in said, words
    numbers = [int(number) for number in re.findall(r" \((\d+)\)[ ,.;:]", said)]
    assert set(numbers) == {int(number) for number in re.findall(r"^(\d+)\. ", said, re.MULTILINE)}
    assert "Nothing was confirmed under fresh seeds." in methods_of(NOTHING).decode()


def test_every_method_that_was_published_has_its_reference() -> None:
    assert {*KNOWN_REGULARIZERS} - {*REGULARIZERS} == {"none"}
    assert {*SAMPLERS} <= {sampler.model_fields["name"].default for sampler in KNOWN_SAMPLERS}
    assert {*PRUNERS} <= {pruner.model_fields["name"].default for pruner in KNOWN_PRUNERS}


@pytest.mark.parametrize(
    ("variant", "more"), [("pernodedrop-gaussian-dynamic", {}), ("dropout", {}), ("r_drop", {"alpha": 2.0})]
)
def test_the_recommended_configuration_can_be_pasted_into_a_definition(variant: str, more: dict[str, Any]) -> None:
    """Also where the study fixed a setting of another regularizer."""
    params = {**params_of(variant, drop_rate=0.3, learning_rate=1e-05), "alpha": 1.0, "noise": "dropout"} | more
    pasted = read_yaml(
        f"name: again\ntask: {{name: digits}}\n{fixed_block(study_of().definition, params)}\nbudget: {{trials: 1}}\n"
        "search_space: {batch_size: {type: categorical, choices: [64]}}\n"
    )
    definition = parse_definition(pasted)
    config = TrialConfig.from_params(definition.fixed)
    assert (config.drop_rate, config.learning_rate) == (0.3, 1e-05)
    assert config.variant == ("r_drop-dropout" if variant == "r_drop" else variant)


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (answered(CLEAR), "dropconnect, the winner of the confirmation."),
        (answered(CLOSE), "dropconnect, which is ahead in the confirmation but has not won: its lead may be luck."),
        (answered({"dropout": [0.1, 0.2, 0.3, 0.2, 0.1]}), "dropout, the only configuration that was confirmed."),
        (answered(state=StudyState.RUNNING), None),
    ],
)
def test_what_is_recommended_has_not_always_won(results: Results, said: str | None) -> None:
    confirmation = confirmation_of(results)
    assert confirmation is not None
    chosen = recommended_of(results.study, confirmation)
    assert (None if chosen is None else recommendation(confirmation, chosen)) == said


def test_a_study_recommends_the_configuration_that_its_record_names() -> None:
    confirmation = confirmation_of(ANSWER)
    assert confirmation is not None
    second = confirmation.found[1]
    chosen = recommended_of(replace(ANSWER.study, winner=second.trial), confirmation)
    assert chosen is second
    assert recommendation(confirmation, second) == "dropout, which the confirmation cannot tell from the best mean."


def test_a_variant_whose_name_has_spaces_stays_one_name() -> None:
    """Two kinds of an own loop, "ours big" and "ours small", must not both be "ours"."""
    searched = [replace(trial, variant=f"ours {trial.variant}") for trial in ANSWER.trials]
    runs = [replace(run, variant=f"ours {run.variant}") for run in ANSWER.confirmations]
    table = text_table(replace(ANSWER, trials=searched, confirmations=runs), whole=False)
    assert {row[0].partition("\n")[0] for row in table.rows} == {f"ours {variant}" for variant in THREE}


def test_the_methods_name_what_was_chosen_by_hand() -> None:
    assert "by hand" not in methods_of(ANSWER).decode()
    origins = [Origin.GIVEN, Origin.OUTSIDE, Origin.SAMPLER, Origin.SAMPLER]
    trials = [replace(trial, origin=origin) for trial, origin in zip(ANSWER.trials, origins, strict=True)]
    said = methods_of(replace(ANSWER, trials=trials)).decode()
    assert "The configurations of 2 trials were chosen by hand, in whole or in part, 1 of them outside of" in said
