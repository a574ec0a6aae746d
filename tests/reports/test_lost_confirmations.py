"""A confirmation in which configurations have diverged or were lost: nobody is recommended who was dropped."""

import math

import pytest

from service.reports import html_report
from service.reports.found.confirmed import confirmation_of
from service.reports.found.recommended import recommended_of
from service.reports.words.recommended import recommendation
from service.reports.words.winner import verdict_of
from tests.reports.deciding import decided
from tests.reports.reading import Page


@pytest.mark.parametrize("stored", [None, {"outcome": "undecided", "seeds": 7, "recommended": None, "left": []}])
def test_what_was_dropped_is_not_recommended_when_the_others_are_lost(stored: dict[str, object] | None) -> None:
    lost = [0.2, 0.21, 0.19, 0.2, 0.22, math.inf, math.inf]
    dropped = [0.90, 0.91, 0.92, 0.90, 0.91]
    found = {"dropout": dropped, "dropconnect": lost, "gaussian_dropout": [value + 0.001 for value in lost]}
    results = decided(found, [5, 7], decision=stored)
    confirmation = confirmation_of(results)
    assert confirmation is not None
    assert recommended_of(results.study, confirmation) is None
    said = verdict_of(results, confirmation)
    assert said[0] == "Undecided after 7 seeds: no configuration is left that has a result under every seed."
    assert not any("dropout" in sentence for sentence in said if not sentence.startswith("Without a result: "))
    assert any(sentence.startswith("Without a result: dropconnect (") for sentence in said)
    page = Page(html_report(results)).text
    assert "Recommended configuration" not in page
    assert "of the winner" not in page
    assert "the only configuration" not in page


def test_the_last_one_with_a_result_is_the_winner_not_the_only_one_confirmed() -> None:
    found = {"dropout": [0.20, 0.21, 0.22, 0.20, 0.21], "dropconnect": [math.inf] * 5}
    results = decided(found, [5])
    confirmation = confirmation_of(results)
    assert confirmation is not None
    chosen = recommended_of(results.study, confirmation)
    assert chosen is not None
    assert recommendation(confirmation, chosen) == "dropout, the winner of the confirmation."


def test_the_best_of_practically_equal_ones_is_not_said_to_lead_by_luck() -> None:
    found = {"dropout": [0.20, 0.21, 0.22, 0.20, 0.21], "dropconnect": [0.201, 0.21, 0.221, 0.20, 0.211]}
    results = decided(found, [5], indifference=0.1)
    confirmation = confirmation_of(results)
    assert confirmation is not None
    chosen = recommended_of(results.study, confirmation)
    assert chosen is not None
    said = recommendation(confirmation, chosen)
    assert said == "dropout, whose mean is the best of those that are practically equal."
