"""What a trial says of itself is cut to what the database and the lists of trials bear: its task may say anything."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from search_spaces import TaskSpec, TrialConfig
from service.storage.provenance import MOST_FACTS, MOST_GROUPS
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
    ("fact", "said"),
    [
        (math.nan, "fact bad must be a text or a finite number below 2**63, got nan"),
        (math.inf, "got inf"),
        (10**30, "got 1000000"),
        ([1], "got [1]"),
        ({"a": "x" * 10**6}, "got {'a': 'xxx"),
    ],
)
def test_what_is_no_fact_is_passed_over_alone_and_named_in_the_log(
    fact: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert heard({"device": "cpu", "bad": fact, "rate": 0.5}).facts == {"device": "cpu", "rate": 0.5}
    [line] = caplog.messages
    assert line.startswith("run 3: what its trial says of itself is kept in part: ")
    assert said in line
    assert len(line) < 300


def test_of_many_facts_the_first_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    many = {f"n{number}": number for number in range(MOST_FACTS + 9)}
    assert list(heard(many).facts) == list(many)[:MOST_FACTS]
    assert f"it has {MOST_FACTS + 9} facts, of which the first {MOST_FACTS} are kept" in caplog.text
    caplog.clear()
    heard({f"n{number}": [number] for number in range(10_000)})
    assert "; and 9995 more" in caplog.text
    assert len(caplog.text) < 1000


def test_of_a_provenance_the_groups_that_can_be_kept_are(caplog: pytest.LogCaptureFixture) -> None:
    bad: Any = {"packages": {"torch": "2.13.0"}, "data": {"digest": 0.5}, "bad name": {}, "run": {"seed": 1}}
    said = over_the_line(Started({"device": "cpu"}, bad))
    assert (said.facts, said.provenance) == (
        {"device": "cpu"},
        {"packages": {"torch": "2.13.0"}, "run": {"seed": 1}},
    )
    assert "data digest of a provenance must be a text or a whole number" in caplog.text


def test_of_many_groups_of_provenance_the_first_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    many = {f"g{number}": {"seed": 1} for number in range(MOST_GROUPS)}
    assert over_the_line(Started({}, many)).provenance == many
    assert not caplog.messages
    assert over_the_line(Started({}, {**many, "late": {"seed": 1}})).provenance == many
    said = f"it has {MOST_GROUPS + 1} groups of provenance, of which the first {MOST_GROUPS} are looked at"
    assert said in caplog.text


def test_a_failure_keeps_what_is_shown_of_it() -> None:
    said = over_the_line(Failed("r" * 10**6, "first " + "t" * 10**6 + " last", out_of_memory=False))
    assert isinstance(said, Failed)
    assert len(said.reason) == LONGEST_SAID
    assert (len(said.traceback), said.traceback[-5:]) == (LONGEST_SAID, " last")
