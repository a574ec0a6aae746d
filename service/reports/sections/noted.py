"""What people noted of a study: its tags and its text."""

from service.reports.markup import Html, element
from service.storage.records import StudyRecord


def noted(study: StudyRecord) -> list[Html]:
    """The lines of the tags and of the note, those that there are."""
    lines = {"Tags": ", ".join(study.tags), "Note": study.note}
    return [element("p", f"{name}: {text}", class_="noted") for name, text in lines.items() if text]
