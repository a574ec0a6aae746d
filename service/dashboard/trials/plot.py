"""Line charts as SVG made by the server: they need no script, follow the reader's theme, and can be printed."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from service.reports.markup import Html, element
from service.reports.words.wording import number

WIDTH, HEIGHT = 420, 250  # in the picture's own units, about px
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 10, 38  # margins
MOST_POINTS = 400  # of a line: more cannot be told apart at this width
LOG_FROM = 20  # the ratio of the largest to the least value from which a loss needs a logarithmic scale

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line; gaps are where a value is not finite."""

    name: str  # shown on hovering
    points: Sequence[Point]
    look: str  # classes of the style sheet
    stepped: bool = False  # a value holds until the next one


@dataclass(frozen=True)
class Scale:
    """Maps values to a side of the picture."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(each) if self.is_log else each for each in (self.low, self.high, value))
        return self.start + (self.end - self.start) * ((at - low) / (high - low) if high > low else 0.5)


def needs_log(values: Iterable[float]) -> bool:
    """Whether a linear scale would show most of these losses as one line at the bottom."""
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) / min(finite) >= LOG_FROM


def plot(lines: Sequence[Line], *, x: str, y: str, is_log: bool = False, best: float | None = None) -> Html | None:
    """The lines on common axes with a rule at `best`; None where no value is finite."""
    finite = [point for line in lines for point in line.points if math.isfinite(point[1])]
    if not finite:
        return None
    across = _scale([point[0] for point in finite], LEFT, WIDTH - RIGHT, is_log=False)
    upward = _padded(_scale([point[1] for point in finite], HEIGHT - BOTTOM, TOP, is_log=is_log))
    all_whole = all(float(point[0]).is_integer() for point in finite)
    parts = [*_rules(across, upward, x, y, all_whole=all_whole)]
    if best is not None and across.low <= best <= across.high:
        place = f"{across(best):.1f}"
        rule = element("line", element("title", f"best {x} {number(best)}"), x1=place, x2=place, y1=str(TOP),
                       y2=str(HEIGHT - BOTTOM), class_="best")  # fmt: skip
        parts.append(rule)
    parts += [_drawn(line, across, upward) for line in lines]
    said = f"{y} by {x}" + (", on a logarithmic scale" if is_log else "")
    return element("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="plot", role="img", aria_label=said)


def _scale(values: Sequence[float], start: float, end: float, *, is_log: bool) -> Scale:
    low, high = min(values), max(values)
    if low == high and not is_log:
        low, high = low - (abs(low) or 1) * 0.05, high + (abs(high) or 1) * 0.05
    return Scale(low, high, start, end, is_log)


def _padded(scale: Scale) -> Scale:
    """The scale with some room, so that no line lies on the frame; below 0 only where values do."""
    if scale.is_log:
        room = (scale.high / scale.low) ** 0.04
        return replace(scale, low=scale.low / room, high=scale.high * room)
    room = (scale.high - scale.low) * 0.04
    low = scale.low - room
    return replace(scale, low=max(0.0, low) if scale.low >= 0 else low, high=scale.high + room)


def _drawn(line: Line, across: Scale, upward: Scale) -> Html:
    """The line, and a dot for each point that stands alone."""
    pieces = [_thinned(piece) for piece in _pieces(line.points)]
    path = "".join(_path(piece, across, upward, stepped=line.stepped) for piece in pieces if len(piece) > 1)
    dots = [
        element("circle", cx=f"{across(piece[0][0]):.1f}", cy=f"{upward(piece[0][1]):.1f}", r="3")
        for piece in pieces
        if len(piece) == 1
    ]
    drawn = element("path", d=path) if path else None
    return element("g", element("title", line.name), drawn, *dots, class_=f"line {line.look}")


def _path(piece: Sequence[Point], across: Scale, upward: Scale, *, stepped: bool) -> str:
    places = [(f"{across(x):.1f}", f"{upward(y):.1f}") for x, y in piece]
    first, rest = places[0], places[1:]
    return f"M{first[0]},{first[1]}" + "".join(f"H{x}V{y}" if stepped else f"L{x},{y}" for x, y in rest)


def _pieces(points: Sequence[Point]) -> Iterator[list[Point]]:
    piece: list[Point] = []
    for point in points:
        if math.isfinite(point[1]):
            piece.append(point)
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _thinned(piece: list[Point]) -> list[Point]:
    """As many points as the width can show: of each stretch its least and its largest, and both ends."""
    if len(piece) <= MOST_POINTS:
        return piece
    size = math.ceil(len(piece) / (MOST_POINTS // 2))
    kept = {piece[0], piece[-1]}
    for begin in range(0, len(piece), size):
        stretch = piece[begin : begin + size]
        kept |= {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
    return sorted(kept)


def _rules(across: Scale, upward: Scale, x: str, y: str, *, all_whole: bool) -> Iterator[Html]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for tick in ticks(upward.low, upward.high, 5, is_log=upward.is_log):
        at = f"{upward(tick):.1f}"
        yield element("line", x1=str(LEFT), x2=str(right), y1=at, y2=at, class_="grid")
        yield element("text", number(tick, 3), x=str(LEFT - 6), y=at, dy="0.32em", class_="tick left")
    for tick in ticks(across.low, across.high, 6, is_whole=all_whole):
        yield element("text", number(tick, 3), x=f"{across(tick):.1f}", y=str(bottom + 15), class_="tick")
    yield element("line", x1=str(LEFT), x2=str(right), y1=str(bottom), y2=str(bottom), class_="axis")
    yield element("text", x, x=str((LEFT + right) / 2), y=str(HEIGHT - 5), class_="title")
    middle = (TOP + bottom) / 2
    yield element("text", y, x="12", y=f"{middle}", transform=f"rotate(-90 12 {middle})", class_="title")


def ticks(low: float, high: float, most: int, *, is_log: bool = False, is_whole: bool = False) -> list[float]:
    """At most about `most` round values in [low, high]."""
    if is_log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [10.0**power for power in powers if low <= 10.0**power <= high]
        if len(found) > 1:
            return found[:: math.ceil(len(found) / most)]
        return [low, high] if low < high else [low]
    step = _round_step((high - low) / most)
    step = max(1.0, step) if is_whole else step
    first = math.ceil(low / step - 1e-9)
    return [place * step for place in range(first, math.floor(high / step + 1e-9) + 1)]


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * 0.999)
