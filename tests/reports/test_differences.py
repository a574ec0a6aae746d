"""A difference says whose it is and under how many seeds, where looks decided the number of seeds."""

import csv
import io

import numpy as np
import pytest

from service.reports.exports import confirmation_table, csv_of, latex_of, markdown_of, text_table
from service.reports.found.confirmed import confirmation_of
from service.statistics import paired_difference
from tests.reports.deciding import decided

# After five seeds dropout is the best and drops gaussian_dropout; dropconnect is the best after seven.
FIVE = {
    "dropout": [0.20, 0.21, 0.19, 0.20, 0.21],
    "dropconnect": [0.25, 0.20, 0.23, 0.21, 0.24],
    "gaussian_dropout": [0.90, 0.92, 0.89, 0.91, 0.90],
}
FOUND = {
    "dropout": [*FIVE["dropout"], 0.60, 0.62],
    "dropconnect": [*FIVE["dropconnect"], 0.20, 0.21],
    "gaussian_dropout": FIVE["gaussian_dropout"],
}


def rows(to: str | None = None) -> dict[str, dict[str, str]]:
    written = csv_of(confirmation_table(decided(FOUND, [5, 7]), to)).decode()
    return {row["variant"]: row for row in csv.DictReader(io.StringIO(written))}


def test_a_dropped_configuration_s_difference_is_to_the_best_of_its_look() -> None:
    confirmation = confirmation_of(decided(FOUND, [5, 7]))
    assert confirmation is not None
    assert confirmation.found[0].trial.variant == "dropconnect"
    dropped = rows()["gaussian_dropout"]
    to_dropout = float(np.mean(FIVE["gaussian_dropout"]) - np.mean(FIVE["dropout"]))
    assert float(dropped["difference"]) == pytest.approx(to_dropout)
    assert (dropped["compared_with"], dropped["difference_to"]) == ("dropconnect", "the best of the others")
    alone = paired_difference(FIVE["gaussian_dropout"], FIVE["dropconnect"])
    assert [float(dropped[f"alone_{end}"]) for end in ("low", "high")] == pytest.approx([alone.low, alone.high])
    assert rows()["dropconnect"]["difference_to"] == ""


def test_a_difference_to_a_chosen_variant_says_so() -> None:
    told = rows("gaussian_dropout")
    assert {row["difference_to"] for row in told.values()} == {"gaussian_dropout", ""}
    assert (told["dropout"]["seeds"], told["dropout"]["seeds_won"]) == ("7", "5")


@pytest.mark.parametrize("whole", [True, False])
def test_seeds_won_are_of_those_that_both_have(whole: bool) -> None:
    table = text_table(decided(FOUND, [5, 7]), "gaussian_dropout", whole=whole)
    place = next(place for place, heading in enumerate(table.header) if heading.startswith("Seeds"))
    won = [row[place] for row in table.rows]
    assert won == ["5 of 5", "5 of 5", ""]


def test_the_heading_names_the_best_of_the_others() -> None:
    table = text_table(decided(FOUND, [5, 7]))
    assert "to the best of the others (simultaneous 95%)" in table.header
    assert "to dropconnect (95%, this pair alone)" in table.header
    assert b"to the best of the others" in markdown_of(table)
    assert b"to the best of the others" in latex_of(text_table(decided(FOUND, [5, 7]), whole=False), "a")
