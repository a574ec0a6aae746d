"""What a trial says of itself is cut to what the database and the lists of trials bear: its task may say anything."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from search_spaces import TaskSpec, TrialConfig
from service.storage.provenance import MOST_FACTS
from service.storage.states import LONGEST_REASON
from workers.trial.messages import LONGEST_SAID, Failed, Order, Started, packed, unpacked

ORDER = Order(
    task=TaskSpec(name="digits"),
    config=TrialConfig(regularizer="none"),
    study_seed=0,
    repeats=1,
    data_folder=Path("data"),
    run_id=3,
    token=4,
)


def over_the_line(report: Started | Failed) -> Any:
    return unpacked(json.loads(json.dumps(packed(report, ORDER))), ORDER)


def heard(facts: dict[str, Any]) -> Any:
    return over_the_line(Started(facts))


def test_facts_are_short_and_can_be_stored() -> None:
    said = heard({"device": "cpu", "parameters": 10, "x" * 500: "a\0\n" + "b" * 10**6, "rate": 0.5})
    assert said.facts["device"] == "cpu"
    assert (said.facts["parameters"], said.facts["rate"]) == (10, 0.5)
    [(name, text)] = [(name, fact) for name, fact in said.facts.items() if name.startswith("x")]
    assert len(name) < 100
    assert text.startswith("a\\0 bbb")
    assert len(text) == LONGEST_REASON


@pytest.mark.parametrize(
    "facts",
    [
        {"n": math.nan},
        {"n": math.inf},
        {"n": 10**30},
        {"n": [1]},
        {f"n{number}": 1 for number in range(MOST_FACTS + 1)},
    ],
    ids=["nan", "infinite", "huge", "list", "many"],
)
def test_what_are_no_facts_is_passed_over(facts: dict[str, Any]) -> None:
    assert heard(facts) is None


def test_a_failure_keeps_what_is_shown_of_it() -> None:
    said = over_the_line(Failed("r" * 10**6, "first " + "t" * 10**6 + " last", out_of_memory=False))
    assert isinstance(said, Failed)
    assert len(said.reason) == LONGEST_SAID
    assert (len(said.traceback), said.traceback[-5:]) == (LONGEST_SAID, " last")
