"""A study whose task was edited says so wherever it says what can be concluded."""

import pytest

from service.reports import Results
from service.reports.sections.summary import head
from service.reports.words.conclusion import conclusion
from service.reports.words.task_code import codes_in, listed, mixed
from service.storage.provenance import TaskCode, task_codes
from tests.reports.samples import params_of, study_of, trial_of

FIRST, SECOND = "1" * 64, "2" * 64
OWN = {"name": "my_tasks:Points", "epochs": 8}
ORIGINS = {
    "a": {"code": {"program": "p", "module": "my_tasks", "task": FIRST, "commit": "abc"}},
    "b": {"code": {"program": "p", "module": "my_tasks", "task": SECOND}, "run": {"threads": 1}},
    "c": {"code": {"program": "p", "module": "my_tasks", "task": SECOND}, "run": {"threads": 2}},
    "d": {"packages": {}},
}
SENTENCE = (
    "The source of task my_tasks:Points was changed during this study, so a difference may be one of the code: "
    "222222222222: 2 runs; 111111111111 (commit abc): 1 run."
)


def results(*origins: str | None, task: dict[str, object] | None = None) -> Results:
    variants = ("dropout", "gaussian_dropout")
    trials = [
        trial_of(place, [0.3], params=params_of(variants[place % 2], drop_rate=0.2), provenance=origin)
        for place, origin in enumerate(origins)
    ]
    return Results(study_of(trials, task=task or OWN), trials, {}, provenances=ORIGINS)


def test_a_source_has_the_runs_of_all_its_provenances() -> None:
    counts = {"a": 1, "b": 2, "c": 3, "d": 4, "gone": 5}
    assert task_codes(counts, ORIGINS) == [TaskCode(SECOND, 5, None), TaskCode(FIRST, 1, "abc")]


def test_the_conclusion_and_the_head_of_a_study_with_two_sources_say_so() -> None:
    found = results("a", "b", "c", None)
    assert mixed("my_tasks:Points", codes_in(found)) == SENTENCE
    assert conclusion(found, None)[-1] == SENTENCE
    assert "222222222222: 2 runs; 111111111111 (commit abc): 1 run" in str(head(found))


@pytest.mark.parametrize("origins", [("a", "a"), ("b", "c", None), (None, None)])
def test_one_source_is_no_caveat(origins: tuple[str | None, ...]) -> None:
    found = results(*origins)
    assert not any("was changed" in sentence for sentence in conclusion(found, None))
    assert ("Code of the task" in str(head(found))) == (origins != (None, None))
    assert listed(codes_in(found)) == {"a": "111111111111 (commit abc)", "b": "222222222222"}.get(origins[0] or "", "")


def test_of_a_built_in_task_nothing_is_said() -> None:
    assert codes_in(results("a", "b", task={"name": "digits", "epochs": 8})) == []


def test_many_sources_are_counted() -> None:
    said = mixed("t", [TaskCode(str(place) * 64, 1, None) for place in range(6)])
    assert said is not None
    assert said.endswith("333333333333: 1 run; and 2 more.")
