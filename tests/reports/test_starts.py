"""What a report says of a study's beginnings."""

from dataclasses import replace

from service.reports import Results
from service.reports.found.importance import importances
from service.reports.sections.summary import head
from service.storage.states import Origin
from tests.reports.samples import searched, study_of, trial_of


def test_the_page_says_which_trials_the_sampler_knew() -> None:
    study = replace(study_of(start_from="before"), knows=40)
    assert "; it knew the 40 trials of study before" in str(head(Results(study, [], {})))
    assert "it knew" not in str(head(Results(study_of(), [], {})))


def test_what_lies_outside_of_the_space_has_no_part_in_the_importance_of_its_parameters() -> None:
    study, trials, _ = searched(40)
    best_first = sorted((each for each in trials if each.state == "complete"), key=lambda each: each.values or [])
    far = trial_of(99, [0.01], params={"regularizer": "shakeout", "drop_rate": 7.0}, origin=Origin.OUTSIDE)
    assert importances(study.definition, [far, *best_first]) == importances(study.definition, best_first) != {}
