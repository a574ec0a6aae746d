"""Small things that the pages of runs share: a variant with its look, a state, addresses."""

from service.reports.charts.look import OPEN, look_of
from service.reports.markup import Html, element
from service.reports.sections.swatch import CORNERS, DASH_ARRAYS
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import Stage

WIDTH, HEIGHT, SIZE = 26, 12, 4.5


def address_of(study: str, run: TrialRecord) -> str | None:
    """The page of the run, relative to our root; None of one that has not begun and has no number yet."""
    if run.stage is Stage.CONFIRMATION:
        return None if run.place is None else f"studies/{study}/confirmation/{run.place}"
    return None if run.number is None else f"studies/{study}/trials/{run.number}"


def optuna_address(study: StudyRecord, run: TrialRecord) -> str | None:
    """Optuna's page of the trial; None for a run of the confirmation, which is no trial of Optuna's."""
    if run.stage is Stage.CONFIRMATION or run.number is None:
        return None
    return f"dashboard/studies/{study.optuna_study_id}/trials?numbers={run.number}"


def pill(state: str) -> Html:
    """A state in its colour."""
    return element("span", state, class_=f"pill {state}")


def variant_mark(variant: str) -> Html:
    """The variant's line and mark, drawn without styles, which the policy of these pages forbids in elements."""
    look = look_of(variant)
    middle = str(HEIGHT / 2)
    fill = "var(--surface)" if look.symbol.endswith(OPEN) else look.colour
    stroke = {"stroke": look.colour, "stroke_width": "2", "stroke_dasharray": DASH_ARRAYS.get(look.dash)}
    return element(
        "svg",
        element("line", x1="0", x2=str(WIDTH), y1=middle, y2=middle, **stroke),
        _shape(look.symbol.removesuffix(OPEN), fill=fill, stroke=look.colour, stroke_width="1.4"),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=str(WIDTH),
        height=str(HEIGHT),
        class_="mark-of",
        aria_hidden="true",
    )


def variant_tag(variant: str) -> Html:
    """The variant's name with its look in the charts."""
    return element("span", variant_mark(variant), variant, class_="variant")


def _shape(symbol: str, **painted: str) -> Html:
    """The mark in the middle; circles are the commonest by far, and a table has thousands."""
    if symbol == "circle":
        return element("circle", cx=str(WIDTH // 2), cy=str(HEIGHT // 2), r=str(SIZE), **painted)
    points = " ".join(f"{WIDTH / 2 + SIZE * x:.1f},{HEIGHT / 2 + SIZE * y:.1f}" for x, y in CORNERS[symbol])
    return element("polygon", points=points, **painted)
