"""The tables of what `benchmarks.pausing` has found: mean regret with 95 % intervals, into docs/searching.md."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from service.statistics.interval import mean_interval

PAGE = Path(__file__).parents[1] / "docs" / "searching.md"
BEGIN, END = "<!-- written by benchmarks/pausing.py: {} -->", "<!-- end of {} -->"
SHOWN = (4, 10, 20)  # whole trainings' worth of epochs
Replications = list[dict[str, Any]]
Found = dict[str, Replications]  # by setting, "curves | sampler | way"


def tables(found: Found, names: Sequence[str], sampler: str) -> Iterator[str]:
    """A row for every pruner, a column for all curves of these names: regrets at the marks, then what was named."""
    chosen = {name: dict(_ways(found, name, sampler)) for name in names}
    chosen = {name: ways for name, ways in chosen.items() if ways}
    marks = min((len(each[0]["regrets"]) // 2 for ways in chosen.values() for each in ways.values()), default=0)
    for mark in (each for each in SHOWN if each <= marks):
        title = f"`{sampler}`: regret after {mark} trainings' worth of epochs:"
        yield _table(title, chosen, partial(_regret, mark))
    if chosen:
        title = f"`{sampler}`: how often the best configuration of all is named at the end (trials begun, complete):"
        yield _table(title, chosen, _outcome)


def write(found: Found, groups: Mapping[str, Sequence[str]], samplers: Sequence[str]) -> None:
    """Put the tables of each group of curves and each sampler into their place in docs/searching.md, if it has one."""
    text = PAGE.read_text()
    for group, names in groups.items():
        for sampler in samplers:
            begin, end = (mark.format(f"{group}, {sampler}") for mark in (BEGIN, END))
            written = "\n\n".join(tables(found, names, sampler))
            if begin in text and written:
                before, _, rest = text.partition(begin)
                text = f"{before}{begin}\n\n{written}\n\n{end}{rest.partition(end)[2]}"
    PAGE.write_text(text)


def _ways(found: Found, name: str, sampler: str) -> Iterator[tuple[str, Replications]]:
    begin = f"{name} | {sampler} | "
    return ((setting.removeprefix(begin), each) for setting, each in found.items() if setting.startswith(begin))


def _table(title: str, chosen: Mapping[str, Found], cell: Callable[[Replications], str]) -> str:
    ways = dict.fromkeys(way for ways in chosen.values() for way in ways)
    lines = [["pruner", *chosen], ["---"] * (len(chosen) + 1)]
    lines += [[way, *(cell(of[way]) if way in of else "" for of in chosen.values())] for way in ways]
    return "\n".join([title, "", *(f"| {' | '.join(line)} |" for line in lines)])


def _regret(mark: int, each: Replications) -> str:
    regrets = [one["regrets"][2 * mark - 1] for one in each]
    interval = mean_interval(regrets)
    return f"{fmean(regrets):.4f} ({interval.low:.4f} to {interval.high:.4f})"


def _outcome(each: Replications) -> str:
    share, begun, complete = (fmean(one[part] for one in each) for part in ("is_best", "begun", "complete"))
    return f"{share:.2f} ({begun:.0f}, {complete:.1f})"
