"""The time that a study has taken."""

from datetime import datetime

from service.storage.records import StudyRecord


def elapsed_s(study: StudyRecord, now: datetime) -> float:
    """Return the seconds from the first run's lease to the study's end or `now`, which its wall_time limits.

    Pauses do not count, nor does the time without a worker.
    """
    if study.started_at is None:
        return 0.0
    return max(0.0, ((study.stood_at or now) - study.started_at).total_seconds())
