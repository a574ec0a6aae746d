"""What a paper's methods section says of a study: only what its definition and its runs have recorded."""

from collections import Counter
from collections.abc import Iterable, Sequence

from search_spaces import StudyShape
from search_spaces.dimensions import CategoricalDimension, Dimension
from search_spaces.pruners.pruner import PrunerPart
from search_spaces.samplers.sampler import SamplerPart
from search_spaces.variants import VARIANT_PARAMETERS
from service.reports.exports.confirmed_rows import Rows, rows_of
from service.reports.exports.markdown import escaped
from service.reports.found.comparison import compare
from service.reports.found.results import Results
from service.reports.found.versions import versions_of
from service.reports.words.references import OPTUNA, PRUNERS, REGULARIZERS, SAMPLERS, STATISTICS
from service.reports.words.task_code import codes_in, listed
from service.reports.words.varying import spoken_of
from service.reports.words.winner import without_figures
from service.reports.words.wording import listing, plural, setting, settings
from service.storage.states import EPOCHS_SPENT, Origin, RunState

NAMES = {"pernodedrop": "pernodedrop", "torch": "PyTorch", "optuna": "Optuna", "python": "Python"}
DEALT = {
    "race": "by a race: at first all variants got equal shares, then the better half, then the best quarter of them",
    "fair": "in equal shares, as far as a variant has configurations",
    "free": "by the sampler itself, which may favour variants",
}


def methods_of(results: Results) -> bytes:
    """The paragraphs in Markdown and UTF-8, with their references at the end."""
    cited = _Cited()
    paragraphs = [
        _task(results, cited),
        _search(results, cited),
        _tuning(results),
        _confirmation(results, rows_of(results), cited),
        _versions(results),
    ]
    lines = [f"# Methods of the study {escaped(results.study.name)}", ""]
    for paragraph in paragraphs:
        lines += [escaped(" ".join(paragraph)), ""]
    return "\n".join([*lines, *cited.listed()]).encode()


class _Cited:
    """The references in the order in which they are named."""

    def __init__(self) -> None:
        self._found: dict[str, int] = {}

    def __call__(self, reference: str | None) -> str:
        """ " (1)" for a reference; nothing for a method without one."""
        return "" if reference is None else f" ({self._found.setdefault(reference, len(self._found) + 1)})"

    def listed(self) -> list[str]:
        return [f"{number}. {escaped(reference)}" for reference, number in self._found.items()] + [""]


def _task(results: Results, cited: _Cited) -> list[str]:
    task = results.study.definition.task
    sizes = [
        f"{_range(facts)} {kind} samples"
        for name, kind in (("train_samples", "training"), ("val_samples", "validation"))
        if (facts := _recorded(results, name))
    ]
    data = f" on {listing(sizes)}" if sizes else ""
    options = "".join(f", {name} {setting(value)}" for name, value in task.options.items())
    whose = "Models of code of our own" if task.is_external else f"Models of the task {task.name}{options}"
    said = [f"{whose} were trained for {plural(task.epochs, 'epoch')}{data}."]
    if task.precision != "float32":
        said.append(f"They were trained in mixed precision ({task.precision}).")
    regularizers = {trial.variant: str(trial.params.get("regularizer")) for trial in results.trials}
    known = {} if task.is_external else REGULARIZERS  # an own loop gives the names a meaning of its own
    sources = {variant: cited(known.get(regularizers[variant])) for variant in results.variants}
    if sources:
        variants = listing([f"{variant}{reference}" for variant, reference in sources.items()])
        said.append(f"Compared were {plural(len(sources), 'variant')} of regularization: {variants}.")
    return said


def _search(results: Results, cited: _Cited) -> list[str]:
    definition, counts = results.study.definition, results.study.counts
    objectives = listing([f"{o.metric} ({o.direction})" for o in definition.objectives])
    sampler, pruner = definition.sampler, definition.pruner
    ended = [f"{counts[state]:,} {state}" for state in RunState if counts.get(state)]
    ranges = [_range_of(name, d) for name, d in definition.search_space.items() if not _tells_variants(name, d)]
    said = [
        f"Beside the variant, {listing(ranges)} were searched." if ranges else "The variant alone was searched.",
        *([f"Fixed were {settings(definition.fixed)}."] if definition.fixed else []),
        f"Optuna{cited(OPTUNA)} searched by the sampler {_with_options(sampler)}{cited(SAMPLERS.get(sampler.name))} "
        f"with seed {definition.search_seed} for {objectives}, in {_budget(definition)} "
        f"({listing(ended)}).",
        *_closing(results.study.closing),
    ]
    if definition.start_from is not None:
        known = plural(results.study.knows, "trial")
        said.append(f"The sampler knew the {known} of the study {definition.start_from}, which are not counted here.")
    said += _by_hand(results)
    if not sampler.visits_grid:
        said.append(f"The trials were dealt to the variants {DEALT[definition.search]}.")
    if pruner.name == "none":
        said.append("No trial was pruned.")
    else:
        said.append(f"{_pruning(definition)} {_with_options(pruner)}{cited(PRUNERS.get(pruner.name))}.")
    said.append(
        f"Each configuration was trained under {_seeds(definition, range(definition.repeats))}, the same for all; its "
        f"value is that of the epoch with the best {results.objective.metric}"
        + (", averaged over the seeds." if definition.repeats > 1 else ".")
    )
    return said


def _by_hand(results: Results) -> list[str]:
    """The sentence on the trials whose configurations a person chose, at the start or later."""
    origins = Counter(trial.origin for trial in results.trials)
    given, outside = origins[Origin.GIVEN], origins[Origin.OUTSIDE]
    if not given + outside:
        return []
    beyond = f", {outside:,} of them outside of these ranges and unknown to the sampler" if outside else ""
    return [
        f"The configurations of {plural(given + outside, 'trial')} were chosen by hand, in whole or in part{beyond}."
    ]


def _tuning(results: Results) -> list[str]:
    """How much each variant had; nothing of a part of a very large study."""
    rows = [
        f"{row.variant} {row.begun:,} ({row.trials:,} complete, {row.pruned:,} pruned, {row.epochs:,} epochs)"
        for row in results.ranking
    ]
    return [f"Trials of each variant: {'; '.join(rows)}."] if rows else ["No trial has begun."]


def _confirmation(results: Results, found: Rows | None, cited: _Cited) -> list[str]:
    definition = results.study.definition
    asked, runs = definition.confirmation, results.confirmations
    if asked is None or found is None:
        return ["Nothing was confirmed under fresh seeds.", *_tests(results, cited)]
    confirmation = found.confirmation
    counts = sorted({len(one.figures[confirmation.metric]) for one in confirmation.found})
    fresh = range(definition.repeats, definition.repeats + counts[-1])
    complete = sum(trial.state is RunState.COMPLETE for trial in runs)
    best = "best configuration of each variant was"
    if asked.top > 1:
        best = f"best {asked.top} configurations of each variant were"
    split = "test" if confirmation.is_tested else "validation"
    alone = confirmation.methods
    differences = [row.difference for row in found.rows]
    apart = {str(each.method): None for each in differences if each is not None and each.is_known}
    said = [
        f"When the search had ended, the {best} trained again under "
        f"{_seeds(definition, fresh)} that the search had not used, the same for all ({complete:,} of "
        f"{plural(len(runs), 'run')} complete).",
        *([] if len(counts) == 1 else [f"Not all had as many seeds: from {counts[0]} to {counts[-1]}."]),
        f"In each training {results.objective.metric} on the validation split chose the epoch; {confirmation.metric} "
        f"is of the {split} split at that epoch"
        + (
            ", which chose neither configuration nor epoch."
            if confirmation.is_tested
            else ", because the task has no test split with it."
        ),
        *([f"Intervals of means over the seeds hold 95% by {_by(alone, cited)}."] if alone else []),
    ]
    said += without_figures(results, confirmation)
    if confirmation.decision is not None:
        looks = [f"{one.seeds:,}" for one in confirmation.decision.rounds]
        after = f" after {listing(looks)} seeds" if looks else ""
        why = f"looks at the figures{after} decided it" if asked.is_decided else "further seeds were added to the first"
        worse = "those certainly worse were dropped" if asked.is_decided else f"the figures were looked at{after}"
        said.append(
            f"The number of seeds was not fixed: {why}. Each configuration was compared with the best of the others"
            f"{cited(STATISTICS['best'])}, and {worse}; all looks share an error of 5%{cited(STATISTICS['looks'])}."
        )
    elif apart:
        said.append(
            "Differences between configurations are paired over the seeds; their 95% intervals hold for all pairs at "
            f"once (Bonferroni), by {_by(apart, cited)}."
        )
    return [*said, *spoken_of(definition)]


def _tests(results: Results, cited: _Cited) -> list[str]:
    """The tests of a study that trained its configurations under several seeds."""
    comparison = compare(results)
    if comparison is None or not comparison.can_decide:
        return []
    return [
        f"Variants were compared by Friedman's test{cited(STATISTICS['friedman'])} over "
        f"{plural(comparison.seeds, 'shared seed')}, then by Nemenyi's comparison of all pairs"
        f"{cited(STATISTICS['nemenyi'])} at 5%."
    ]


def _versions(results: Results) -> list[str]:
    """Versions and devices that the runs recorded, and what none of them did."""
    found = versions_of(results)
    known = [f"{NAMES[name]} {listing(versions)}" for name, versions in found.items() if versions]
    unknown = [NAMES[name] for name, versions in found.items() if not versions]
    said = [f"By the records of its runs, the study was trained with {listing(known)}."] if known else []
    if unknown:
        said.append(f"Its runs did not record the versions of {listing(unknown)}.")
    codes = codes_in(results)
    if codes:
        said.append(f"SHA-256 of the source of task {results.study.definition.task.name}: {listed(codes)}.")
    for fact, meaning in (("device", "Devices"), ("backend", "Backends that computed the noise")):
        values = sorted({str(value) for value in _recorded(results, fact)})
        said += [f"{meaning}: {listing(values)}."] if values else []
    return said


def _seeds(definition: StudyShape, seeds: range) -> str:
    """ "4 seeds (1 to 4 of those that follow from seed 3)": training seeds follow from the study's and a number."""
    numbers = f"number {seeds.start}" if len(seeds) == 1 else f"numbers {seeds.start} to {seeds.stop - 1}"
    return f"{plural(len(seeds), 'seed')} ({numbers} of the study's seed {definition.seed})"


def _tells_variants(name: str, dimension: Dimension) -> bool:
    return (dimension.parameter or name) in VARIANT_PARAMETERS


def _range_of(name: str, dimension: Dimension) -> str:
    parameter = dimension.parameter or name
    if isinstance(dimension, CategoricalDimension):
        return f"{parameter} ({listing([setting(choice) for choice in dimension.choices])})"
    scale = " on a logarithmic scale" if dimension.log else ""
    step = "" if dimension.step is None or dimension.step == 1 else f" in steps of {setting(dimension.step)}"
    return f"{parameter} ({setting(dimension.low)} to {setting(dimension.high)}{step}{scale})"


def _budget(definition: StudyShape) -> str:
    trials, epochs = plural(definition.trials, "trial"), definition.budget.epochs
    return trials if epochs is None else f"at most {trials} and {plural(epochs, 'epoch')} of all of them together"


def _closing(closing: str | None) -> list[str]:
    """Why the search ended before all of its trials; a budget of epochs that is spent is no sooner end."""
    if closing is None:
        return []
    at = "with its budget" if closing.startswith(EPOCHS_SPENT) else "before its budget"
    return [f"The search ended {at}: {closing}."]


def _pruning(definition: StudyShape) -> str:
    pruner = definition.pruner
    if not pruner.pauses:
        return "Trials were pruned by"
    rungs = listing([f"{rung:,}" for rung in sorted({rung for _, rung in pruner.after(definition.task.epochs)})])
    return (
        f"Trials paused after {rungs} epochs, where the best of each {pruner.one_in} went on, and the best of all "
        "where none would have come to its end; those that never went on were pruned, by"
    )


def _with_options(part: SamplerPart | PrunerPart) -> str:
    """The name of a sampler or a pruner, with the options that are not its defaults."""
    said = part.model_dump(exclude_defaults=True)
    options = settings(said, without=("name", "seed"))
    return f"{part.name} ({options})" if options else part.name


def _recorded(results: Results, fact: str) -> list[int | float | str]:
    """The distinct values of a fact of the runs."""
    trials = (*results.trials, *results.confirmations)
    return list(dict.fromkeys(trial.facts[fact] for trial in trials if fact in trial.facts))


def _range(values: Sequence[int | float | str]) -> str:
    numbers = sorted(value for value in values if isinstance(value, int | float))
    if not numbers:
        return listing([str(value) for value in values])
    return f"{numbers[0]:,}" if len(numbers) == 1 else f"{numbers[0]:,} to {numbers[-1]:,}"


def _by(methods: Iterable[str], cited: _Cited) -> str:
    return listing([f"{method}{cited(STATISTICS.get(method))}" for method in sorted(methods)])
