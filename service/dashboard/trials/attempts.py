"""The attempts of a run: who held it, from when to when, how that ended, and what it has written."""

from collections.abc import Sequence

from service.dashboard.trials.marks import pill
from service.reports.markup import Html, element
from service.reports.words.wording import DASH, duration, moment, plural
from service.storage.runs.logs import Kept

LAST_LINES = 200  # of each stream


def attempts_of(kept: Sequence[Kept]) -> list[Html]:
    """A card for each attempt, the last one first."""
    if not kept:
        return [element("p", "No worker has held it yet.", class_="note")]
    return [_attempt(one, is_last=one is kept[-1]) for one in reversed(kept)]


def _attempt(kept: Kept, *, is_last: bool) -> Html:
    attempt, log = kept.attempt, kept.log
    took = None if attempt.ended_at is None else (attempt.ended_at - attempt.started_at).total_seconds()
    ended = "still holds it" if attempt.ended_at is None else f"to {moment(attempt.ended_at)}, {duration(took)}"
    return element(
        "article",
        element("h3", f"Attempt {kept.place} ", pill(attempt.state)),
        element("p", f"Worker {attempt.worker or DASH}, from {moment(attempt.started_at)} {ended}", class_="when"),
        element("p", attempt.reason, class_="reason") if attempt.reason else None,
        _text("Traceback", log.traceback, len((log.traceback or "").encode()), is_open=is_last, place=kept.place),
        _text("Standard error", log.stderr, log.written[1], is_open=False, place=kept.place),
        _text("Standard output", log.stdout, log.written[0], is_open=False, place=kept.place),
        None if not log.is_empty else element("p", "It has written nothing.", class_="note"),
        class_="attempt",
    )


def _text(title: str, text: str | None, written: int, *, is_open: bool, place: int) -> Html | None:
    """The end of a stream, folded; None where it is empty."""
    if not text:
        return None
    lines = text.rstrip("\n").split("\n")
    shown = "\n".join(lines[-LAST_LINES:])
    is_end = len(lines) > LAST_LINES or len(text.encode()) < written
    said = f", the last {plural(min(len(lines), LAST_LINES), 'line')} of {written:,} bytes" if is_end else ""
    body = element("pre", shown, tabindex="0", role="region", aria_label=f"{title} of attempt {place}")
    return element("details", element("summary", f"{title}{said}"), body, open=is_open, data_part=f"{title} {place}")
