"""The tables of what the models know."""

from collections.abc import Mapping, Sequence

import numpy as np

from search_spaces.variants import VARIANT_PARAMETERS
from service.reports.found.knowledge import SCORES, Ensembled, Examined, InputSet, Knowledge
from service.reports.found.results import Results
from service.reports.markup import Content, Html, element, join, table
from service.reports.sections.section import tag
from service.reports.words.knowledge import SCORE_NAMES, names_of
from service.reports.words.wording import DASH, MINUS, decimal, settings
from service.rounding import fixed
from service.statistics import Estimate

PLACES = 3
PREDICTIONS = {  # figures of the own inputs, with their headings
    "loss_evaluated": "Loss, no masks",
    "loss": "Loss of the mean",
    "mean_loss": "Mean of the losses",
    "accuracy": "Accuracy",
    "ece": "ECE",
    "brier": "Brier",
}
UNCERTAINTY = {
    "total": "Total",
    "aleatoric": "Aleatoric",
    "epistemic": "Epistemic",
    "joint_nll": "Joint NLL",
    "pass_correlation": "Pass correlation",
}
SHARES = ("accuracy", "ece")  # in [0, 1]: no interval goes beyond
COVERAGES = (1.0, 0.9, 0.8, 0.5)
OF_SHIFT = {"ece": "ECE", "loss": "NLL", "accuracy": "accuracy"}


def prediction_table(results: Results, knowledge: Knowledge) -> Html:
    """Losses, accuracy and calibration on the own inputs, a row a configuration."""
    return _own_table(results, knowledge, PREDICTIONS)


def uncertainty_table(results: Results, knowledge: Knowledge) -> Html:
    """The parts of the uncertainty, and what passes say of several inputs together."""
    return _own_table(results, knowledge, UNCERTAINTY)


def _own_table(results: Results, knowledge: Knowledge, figures: Mapping[str, str]) -> Html:
    def cell(one: Examined, figure: str) -> Html:
        mean, around = one.mean(knowledge.home, figure), one.interval(knowledge.home, figure)
        if around is None or around.is_point:
            return _lines(_told(mean))
        low, high = (max(0.0, around.low), min(1.0, around.high)) if figure in SHARES else (around.low, around.high)
        return _lines(_told(mean), _span(low, high))

    rows = [
        [_who(results, one), str(one.passes(knowledge.home)), *(cell(one, figure) for figure in figures)]
        for one in knowledge.found
    ]
    return table(["Variant and configuration", "S", *figures.values()], rows)


def ensemble_table(knowledge: Knowledge) -> Html | None:
    """Deep ensembles of the seeds beside single models; None where no predictions are kept."""
    named = names_of(knowledge)
    found = [(one, ensembled) for one in knowledge.found if (ensembled := knowledge.ensemble(one)) is not None]
    if not found:
        return None

    def cell(ensembled: Ensembled, figure: str) -> Html:
        single = float(np.mean([getattr(one, figure) for one in ensembled.singles]))
        return _lines(_told(getattr(ensembled.ensemble, figure)), f"single {_told(single)}")

    rows = [
        [
            tag(one.trial.variant, named[one.trial.run_id]),
            str(ensembled.ensemble.members),
            *(cell(ensembled, figure) for figure in ("nll", "accuracy", "ece", "brier")),
            *(_told(getattr(ensembled.ensemble, part)) for part in ("total", "aleatoric", "epistemic")),
        ]
        for one, ensembled in found
    ]
    header = ["Ensemble of", "Seeds", "NLL", "Accuracy", "ECE", "Brier", "Total", "Aleatoric", "Epistemic"]
    return table(header, rows)


def risk_table(knowledge: Knowledge) -> Html | None:
    """The error of the most confident inputs, and the area under the curve."""
    named = names_of(knowledge)
    found = [(one, risks) for one in knowledge.found if (risks := knowledge.risks(one)) is not None]
    if not found:
        return None
    rows = [
        [
            tag(one.trial.variant, named[one.trial.run_id]),
            *(decimal(float(np.mean([risk.at(share) for risk in risks])), 4) for share in COVERAGES),
            decimal(float(np.mean([risk.area for risk in risks])), 4),
            decimal(float(np.mean([risk.excess for risk in risks])), 4),
        ]
        for one, risks in found
    ]
    shares = ["Error of all", *(f"of the surest {share:.0%}" for share in COVERAGES[1:])]
    return table(["Variant", *shares, "AURC", "AURC above the best order"], rows)


def detection_table(knowledge: Knowledge, inputs: InputSet) -> Html:
    """How well each score tells the set from the own inputs, with intervals and differences to the control."""
    named = names_of(knowledge)

    def cells(one: Examined) -> list[Content]:
        told = {score: knowledge.estimates(one, inputs.name, score) for score in SCORES}
        aurocs = [DASH if found is None else _estimated(*found["auroc"]) for found in told.values()]
        by_confidence = told["confidence"]
        fpr = DASH if by_confidence is None else _estimated(*by_confidence["fpr"])
        detected = knowledge.detected(one, inputs.name, "confidence")
        aupr = DASH if detected is None else _told(detected.aupr)
        return [tag(one.trial.variant, named[one.trial.run_id]), *aurocs, fpr, aupr]

    header = ["Variant", *(f"AUROC by {SCORE_NAMES[score]}" for score in SCORES), "FPR at 95%", "AUPR"]
    return table(header, map(cells, knowledge.found))


def shift_table(knowledge: Knowledge, levels: Sequence[InputSet]) -> Html:
    """Calibration, loss and accuracy at every level of a shift, the own inputs first."""
    named = names_of(knowledge)
    sets = [knowledge.sets[0], *levels]

    def cell(one: Examined, inputs: InputSet) -> Html:
        ece, *others = (
            f"{'' if figure == 'ece' else f'{name} '}{_told(one.mean(inputs.name, figure))}"
            for figure, name in OF_SHIFT.items()
        )
        return _lines(ece, *others)

    rows = [
        [tag(one.trial.variant, named[one.trial.run_id]), *(cell(one, each) for each in sets)]
        for one in knowledge.found
    ]
    return table(["ECE, NLL and accuracy", *(f"Level {each.level}" for each in sets)], rows)


def _who(results: Results, one: Examined) -> Html:
    searched = results.study.definition.search_space
    varied = {name: value for name, value in one.trial.params.items() if name in searched}
    said = settings(varied, without=VARIANT_PARAMETERS)
    return join((tag(one.trial.variant), element("small", said, class_="under")))


def _estimated(found: Estimate, against: Estimate | None) -> Html:
    """A figure in [0, 1], its interval, and its difference to the control's, bold where the interval excludes 0."""
    said: list[Content] = []
    if not found.is_point:
        said.append(_span(found.low, found.high))
    if against is not None:
        mark = "strong" if against.excludes_zero else "span"
        said.append(element(mark, _signed(against.value)))
        if not against.is_point:
            said.append(element(mark, f"{_signed(against.low)} to {_signed(against.high)}"))
    return _lines(_told(found.value), *said)


def _lines(first: Content, *under: Content) -> Html:
    """A number with small lines below it."""
    small = (element("small", said, class_="under", style="margin-left:0") for said in under)
    return join((first, *small))


def _span(low: float, high: float) -> str:
    return f"{_told(low)} to {_told(high)}"


def _told(value: float | None) -> str:
    """The value to PLACES."""
    return decimal(value, PLACES)


def _signed(value: float) -> str:
    return fixed(value, PLACES, "+").replace("-", MINUS)
