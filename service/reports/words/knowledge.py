"""What the examinations say and do not say, in plain sentences."""

from collections.abc import Sequence

from service.reports.found.knowledge import Examined, InputSet, Knowledge
from service.reports.words.naming import told_apart
from service.reports.words.wording import listing, plural

SCORE_NAMES = {
    "confidence": "maximal probability",
    "entropy": "entropy",
    "epistemic": "epistemic part",
    "energy": "energy, no masks",
}
SPLITS = {"test": "the test split", "val": "the validation split"}


def names_of(knowledge: Knowledge) -> dict[int, str]:
    """Every configuration's name by its run: the variant, with its settings where it was examined more than once."""
    trials = [one.trial for one in knowledge.found]
    named = zip(trials, told_apart(trials), strict=True)
    return {trial.run_id: f"{variant} ({own})" if own else variant for trial, (variant, own) in named}


def home_name(knowledge: Knowledge) -> str:
    return SPLITS.get(knowledge.home, knowledge.home)


def seeds_in(knowledge: Knowledge) -> str:
    """ "3 seeds", "5 to 12 seeds"."""
    several = plural(knowledge.repeats, "seed")
    return several if knowledge.fewest == knowledge.repeats else f"{knowledge.fewest} to {several}"


def intro_of(knowledge: Knowledge) -> str:
    """The sentences that say what was done."""
    others = len(knowledge.sets) - 1
    beyond = f" and on {plural(others, 'set')} out of distribution" if others else ""
    return (
        "When a training of the confirmation had ended, its model of the epoch that is best by validation was "
        f"examined once, on {home_name(knowledge)}{beyond}. A model that draws noise predicts by the mean of S passes "
        "with its masks on and everything else as in evaluation; a model without noise predicts by one pass. Figures "
        f"are means over {seeds_in(knowledge)}."
    )


def findings_of(knowledge: Knowledge) -> list[str]:
    """Say of every set of strange inputs who tells it better or worse than the control, by the maximal probability."""
    return [said for inputs in knowledge.strange if (said := _finding(knowledge, inputs))]


def limits_of(knowledge: Knowledge) -> list[str]:
    """The sentences that say what may not be concluded."""
    return [
        _chosen(knowledge),
        _seeds(knowledge),
        *_passes(knowledge),
        *_without_noise(knowledge),
        *_same_law(knowledge),
        *_part(knowledge),
    ]


def _finding(knowledge: Knowledge, inputs: InputSet) -> str:
    named, control = names_of(knowledge), knowledge.control
    better, worse, undecided = list[str](), list[str](), list[str]()
    for one in knowledge.found:
        told = knowledge.estimates(one, inputs.name, "confidence")
        against = None if told is None else told["auroc"][1]
        if against is not None:
            group = undecided if not against.excludes_zero else better if against.value > 0 else worse
            group.append(named[one.trial.run_id])
    if not better and not worse and not undecided:
        return ""
    to = named[control.trial.run_id]
    parts = [f"{listing(better)} {_do(better)} better than {to}"] if better else []
    parts += [f"{listing(worse)} {_do(worse)} worse than {to}"] if worse else []
    parts += [f"nothing is decided between {to} and {listing(undecided)}"] if undecided else []
    by = f"In telling {inputs.name} from {home_name(knowledge)} by the maximal probability"
    return f"{by}, {'; '.join(parts)} (AUROC, each 95% interval by itself)."


def _do(several: Sequence[str]) -> str:
    return "does" if len(several) == 1 else "do"


def _chosen(knowledge: Knowledge) -> str:
    by = "" if knowledge.home == "test" else " The validation split chose the epoch, which flatters all models alike."
    if knowledge.fewest < knowledge.repeats:
        by += " How many seeds a configuration has was decided by its test figures in the confirmation."
    return f"Nothing was chosen by these figures: no configuration, no epoch, no score and no S.{by}"


def _seeds(knowledge: Knowledge) -> str:
    return (
        f"Intervals of detection are for other inputs and other seeds; those of {seeds_in(knowledge)} "
        "are wide. Each interval stands alone: of twenty differences that are none, one is expected to exclude 0. An "
        "interval that includes 0 does not show that two variants are equal."
    )


def _passes(knowledge: Knowledge) -> list[str]:
    counts = sorted({one.passes(knowledge.home) for one in knowledge.found} - {1})
    if len(counts) < 2:
        return []
    return [
        f"Variants have different numbers of passes ({listing([str(count) for count in counts])}). The mean of more "
        "passes is a better prediction, so compare variants of one S only."
    ]


def _without_noise(knowledge: Knowledge) -> list[str]:
    named = names_of(knowledge)
    still = [named[one.trial.run_id] for one in knowledge.found if one.passes(knowledge.home) == 1]
    if not still:
        return []
    return [
        f"{listing(still)} {'predicts' if len(still) == 1 else 'predict'} by one pass: the epistemic part is exactly 0 "
        "for every input, so as a score it knows nothing, and its AUROC is 0.5."
    ]


def _same_law(knowledge: Knowledge) -> list[str]:
    variants = {one.trial.variant for one in knowledge.found if _draws_noise(knowledge, one)}
    ours = any(variant.startswith("pernodedrop-bernoulli") for variant in variants)
    if not ours or "dropconnect" not in variants:
        return []
    return [
        "With the same weights and rate, PerNodeDrop with Bernoulli masks and DropConnect have one predictive law for "
        "every single input. A difference between them in any figure of single inputs (loss, ECE, entropies, AUROC) "
        "therefore comes from what they learned, not from how they predict. Only the joint figures, joint NLL and pass "
        "correlation, can differ at one set of weights: DropConnect's inputs share their masks within a pass."
    ]


def _draws_noise(knowledge: Knowledge, one: Examined) -> bool:
    return one.passes(knowledge.home) > 1


def _part(knowledge: Knowledge) -> list[str]:
    parts = []
    for each in knowledge.sets:
        scored, size = knowledge.sizes(each.name)
        if 0 < scored < size:
            parts.append(f"{scored:,} of {size:,} ({each.name})")
    if not parts:
        return []
    return [
        "Scores of single inputs are kept for the first inputs of a drawn order, the same for all models: "
        f"{listing(parts)}. AUROC, false positive rate, risk, reliability and ensembles are of these; the other "
        "figures are of whole sets."
    ]
