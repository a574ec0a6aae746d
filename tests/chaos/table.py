"""The table of faults injected and survived."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from tests.chaos.injection import Injected
from tests.chaos.observer import Cost
from tests.chaos.schedule import Kind

HEADER = ("fault", "injected", "trials hit", "epochs lost", "s to recover, median", "longest")


def rows(costs: Iterable[tuple[Injected, Cost]]) -> list[tuple[str, ...]]:
    """A row a kind that was injected; a trial is hit by every fault that strikes while it is in training."""
    by_kind: dict[Kind, list[Cost]] = {}
    for injected, cost in costs:
        by_kind.setdefault(injected.fault.kind, []).append(cost)
    return [_row(kind, by_kind[kind]) for kind in Kind if kind in by_kind]


def _row(kind: Kind, costs: Sequence[Cost]) -> tuple[str, ...]:
    seconds = [cost.recovered_s for cost in costs if cost.hit and cost.recovered_s is not None]
    figures = (len(costs), sum(cost.hit for cost in costs), sum(cost.lost for cost in costs))
    recovered = (f"{median(seconds):.1f}", f"{max(seconds):.1f}") if seconds else ("-", "-")
    return (kind.value, *map(str, figures), *recovered)


def markdown(header: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table as it stands in a document."""
    lines = [header, ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def totals(figures: Mapping[str, object]) -> str:
    return markdown(("", ""), [(name, str(value)) for name, value in figures.items()])
