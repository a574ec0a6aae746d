"""A study as a line, as bars and as a notebook shows it: pure functions of what the controller has answered."""

from collections.abc import Sequence

from pernodedrop.client.answers import Details
from pernodedrop.client.frames import ranking_table
from pernodedrop.client.html import bar, cell, table, text
from pernodedrop.client.ranked import RankingRow


def line(study: Details) -> str:
    """The study's counts and the search's best in one line."""
    counts = study.counts
    named = {
        state: getattr(counts, state) for state in ("complete", "pruned", "running", "paused", "failed", "cancelled")
    }
    shown = [f"{n} {state}" for state, n in named.items() if n or state in ("complete", "running")]
    confirming = study.confirmation.total
    further = f", {study.confirmation.ended} of {confirming} confirming" if confirming else ""
    runs = f"{counts.ended}/{study.budget.trials} runs{further} ({', '.join(shown)})"
    return f"{study.name}: {runs}, {best(study)}, {study.state}"


def best(study: Details) -> str:
    """The search's best value so far."""
    if study.best is None or not study.best.values:
        return "no complete trial yet"
    value, name = cell(study.best.values[0]), study.objectives[0].metric
    return f"search's best {name} {value} by {study.best.variant} (trial {study.best.number})"


def html(study: Details, ranking: Sequence[RankingRow], pictures: Sequence[str]) -> str:
    """The study with its progress, its answer, the ranked variants and the confirmation."""
    parts = [
        f"<h3>{text(study.name)}</h3>",
        f"<p>{text(study.state)}, {bar(study.counts.ended, study.budget.trials)}</p>",
    ]
    if study.confirmation.total:
        parts.append(f"<p>confirming, {bar(study.confirmation.ended, study.confirmation.total)}</p>")
    said = [study.failure, study.pause, best(study), study.confirmation_so_far, study.advice]
    said += study.winner.verdict if study.winner is not None else []
    said += [f"Recommended: {study.recommended.why}"] if study.recommended is not None else []
    parts += [f"<p>{text(sentence)}</p>" for sentence in said if sentence]
    if ranking:
        parts.append(ranking_table(ranking))
    if study.confirmed:
        head = ["confirmed", study.confirmed[0].metric, "95 % from", "to", "seeds", "difference"]
        rows = [[one.variant, one.mean, one.low, one.high, one.seeds, one.difference] for one in study.confirmed]
        parts.append(table(head, rows))
    return "".join((*parts, *pictures))
