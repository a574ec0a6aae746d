"""How long a study has taken."""

from datetime import datetime

from service.storage.records import StudyRecord


def elapsed_s(study: StudyRecord, now: datetime) -> float:
    """Seconds since the first run was leased, up to the study's end: what its wall_time limits."""
    if study.started_at is None:
        return 0.0
    return max(0.0, ((study.finished_at or now) - study.started_at).total_seconds())
