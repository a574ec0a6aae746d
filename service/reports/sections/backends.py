"""The backends and devices that ran: results are comparable only within one backend."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from service.reports.found.results import Results
from service.reports.markup import Html, table
from service.reports.sections.section import note, section, tag
from service.reports.words.origins import origins
from service.reports.words.wording import DASH

FACTS = ("backend", "device")
MEANINGS = {
    "torch": "torch: there is one implementation, PyTorch's operations",
    "mask": "mask: every mask entry is drawn and held in memory",
    "kernel": "kernel: the same masks, drawn inside the computation and not held",
    "reparameterized": "reparameterized: the noise of the outputs is drawn; same distribution, less gradient noise",
    "flipout": "flipout: samples share the size of their noise but not its sign; more gradient noise",
    "moment_matched": "moment_matched: a Gaussian approximates the noise",
}

NOISES = {  # of a backend, beside that of the masks which it stands for
    "less": "less of it than their masks have",
    "more": "more of it than their masks have",
    "approximate": "that of a Gaussian instead of their masks'",
}


def backends(results: Results) -> Html | None:
    ran = Counter(
        (trial.variant, *(_fact(trial.facts, name) for name in FACTS)) for trial in results.trials if trial.facts
    )
    if not ran:
        return None
    place = {variant: place for place, variant in enumerate(results.variants)}
    sizes: dict[str, set[int]] = {}
    for trial in results.trials:
        if "parameters" in trial.facts:
            sizes.setdefault(trial.variant, set()).add(trial.facts["parameters"])
    rows = [
        (tag(variant), backend, device, _range(sizes.get(variant, ())), f"{count:,}")
        for (variant, backend, device), count in sorted(
            ran.items(), key=lambda item: (place.get(item[0][0], -1), item[0])
        )
    ]
    header = ["Variant", "Backend", "Device", "Trainable parameters", "Trials"]
    meaning = _meaning(backend for _, backend, _ in ran)
    trained = (*results.trials, *results.confirmations)
    told = [note(text) for text in (meaning, _other_noise(results), origins(trained, results.provenances)) if text]
    return section("What ran", table(header, rows, words=3), *told)


def _other_noise(results: Results) -> str:
    """Say which variants trained with another gradient noise than their masks', where variants are compared."""
    found: dict[str, set[str]] = {}
    for trial in results.trials:
        for noise in str(trial.facts.get("gradient_noise", "full")).split("+"):
            found.setdefault(noise, set()).add(trial.variant)
    parts = [f"{', '.join(sorted(found[noise]))} with {words}" for noise, words in NOISES.items() if noise in found]
    if not parts or len(results.variants) < 2:
        return ""
    return (
        "The noise of the gradient regularizes as well (Wei, Kakade and Ma 2020). Trained were "
        f"{'; '.join(parts)}: a difference to other variants is not one of the masks alone."
    )


def _fact(facts: Mapping[str, Any], name: str) -> str:
    return str(facts.get(name) or DASH)


def _range(sizes: Collection[int]) -> str:
    if not sizes:
        return DASH
    return f"{min(sizes):,}" if len(sizes) == 1 else f"{min(sizes):,} to {max(sizes):,}"


def _meaning(used: Iterable[str]) -> str:
    """Describe the backends; a plus sign joins those of one model."""
    names = {name for joined in used for name in joined.split("+")}
    return "; ".join(MEANINGS[name] for name in MEANINGS if name in names)
