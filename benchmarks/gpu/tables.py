"""The findings as Markdown: what is wrong, the figures beside their aims, the tables."""

from collections.abc import Iterable, Sequence

from benchmarks.gpu.findings import Check, Figure, Report

NOT_MEASURED = "not measured"
REASON = 300  # characters at most of why a part ended


def outcome(report: Report) -> str:
    """A part's end in one line."""
    held = sum(check.state == "holds" for check in report.checks)
    parts = [report.state + (f" ({report.reason[:REASON]})" if report.reason else "")]
    if report.checks:
        parts.append(f"{held} of {len(report.checks)} checks hold")
    if skipped := sum(check.state == "skipped" for check in report.checks):
        parts.append(f"{skipped} skipped")
    return ", ".join([*parts, f"{report.seconds:.0f} s"])


def markdown(reports: Sequence[Report]) -> str:
    """Everything that the parts found."""
    sections = [
        "# GPU check",
        *_machines(reports),
        _table(["part", "outcome"], [[r.part, outcome(r)] for r in reports]),
    ]
    if wrong := [(report.part, check) for report in reports for check in report.checks if check.state != "holds"]:
        sections += ["## What does not hold, and what was skipped", "\n".join(_complaint(*pair) for pair in wrong)]
    if aimed := [figure for report in reports for figure in report.figures if figure.meets_its_aim is not None]:
        sections += ["## Against the aims", _aims(aimed)]
    for report in reports:
        for title in dict.fromkeys(figure.table for figure in report.figures):
            sections += [f"## {title}", _pivot([figure for figure in report.figures if figure.table == title])]
        if report.notes:
            sections.append("\n".join(f"* {note}" for note in report.notes))
    return "\n\n".join(sections) + "\n"


def number(figure: Figure) -> str:
    """Three significant digits and the unit; a star where the aim is missed."""
    value = figure.value
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    unit = f" {figure.unit}" if figure.unit else ""
    return f"{digits}{unit}{' *' if figure.meets_its_aim is False else ''}"


def _machines(reports: Iterable[Report]) -> list[str]:
    """Each machine once: normally there is one."""
    lines = [", ".join(f"{name} {_plain(value)}" for name, value in r.machine.items()) for r in reports if r.machine]
    return list(dict.fromkeys(lines))


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _complaint(part: str, check: Check) -> str:
    return f"* {part}, {check.name}: {check.state}: {check.detail.splitlines()[0] if check.detail else ''}"


def _aims(figures: Iterable[Figure]) -> str:
    rows = []
    for figure in figures:
        aim = f"at most {figure.at_most:g}"
        met = "met" if figure.meets_its_aim else "missed"
        rows.append([figure.table, f"{figure.row}, {figure.column}", number(figure).removesuffix(" *"), aim, met])
    return _table(["table", "figure", "value", "aim", ""], rows)


def _pivot(figures: Sequence[Figure]) -> str:
    rows = list(dict.fromkeys(figure.row for figure in figures))
    columns = list(dict.fromkeys(figure.column for figure in figures))
    cells = {(figure.row, figure.column): number(figure) for figure in figures}
    body = [[row, *(cells.get((row, column), NOT_MEASURED) for column in columns)] for row in rows]
    return _table(["", *columns], body)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
