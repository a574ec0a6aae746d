"""What Optuna's pages say of a study."""

import warnings
from collections.abc import Sequence

from optuna import Study
from optuna.exceptions import ExperimentalWarning


def describe(study: Study, metrics: Sequence[str]) -> None:
    """Name the values of the study's trials by the metrics, in the order of its directions, and note where our page is.

    Without names Optuna's pages say "Objective 0".
    """
    from optuna_dashboard import save_note  # imports a web server, which would slow every worker's start

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(list(metrics))
    save_note(study, f"[Report of this study](/studies/{study.study_name})")
