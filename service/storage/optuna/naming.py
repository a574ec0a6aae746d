"""What Optuna's pages say of a study."""

import warnings
from collections.abc import Sequence

from optuna import Study
from optuna.exceptions import ExperimentalWarning


def describe(study: Study, metrics: Sequence[str]) -> None:
    """Name the values of the study's trials by the metrics, in the order of its directions, and note where our page is.

    Without names Optuna's pages say "Objective 0".
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(list(metrics))
    # As `optuna_dashboard.save_note` writes it, whose import takes most of a second: it brings a web server.
    body = f"[Report of this study](/studies/{study.study_name})"
    study._storage.set_study_system_attr(study._study_id, "dashboard:note_ver", 1)
    study._storage.set_study_system_attr(study._study_id, "dashboard:note_str:0", body)
