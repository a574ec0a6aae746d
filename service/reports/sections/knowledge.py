"""What the noise knows: predictions of the confirmation's models, their uncertainty, and inputs out of distribution."""

import numpy as np

from service.reports.charts.chart import Chart, shown
from service.reports.charts.knowledge_lines import FEWEST_EVENTS, Points, reliability_figure, risk_figure, shift_figure
from service.reports.found.knowledge import Examined, InputSet, Knowledge
from service.reports.found.results import Results
from service.reports.markup import Content, Html, element
from service.reports.sections.knowledge_tables import (
    detection_table,
    ensemble_table,
    prediction_table,
    risk_table,
    shift_table,
    uncertainty_table,
)
from service.reports.sections.section import note, section
from service.reports.words.knowledge import findings_of, home_name, intro_of, limits_of, names_of, seeds_in

COVERED = np.arange(5, 101) / 100  # shares of the inputs; fewer are a handful, and their error is chance
PREDICTIONS = (
    "No masks: one pass as in evaluation. Loss of the mean: of the mean prediction over the S passes. The mean of "
    "the losses is that of each pass by itself; a cross-entropy of the mean is never larger than it. ECE and Brier "
    "are of the mean prediction. Below a figure is the 95% interval of its mean over seeds, of this configuration "
    "alone."
)
UNCERTAINTY = (
    "In nats. Total is the entropy of the mean prediction, aleatoric the mean entropy of the passes. The epistemic "
    "part is their difference, what the passes disagree about, by the jackknife: the plain difference, plug_in in "
    "the export, is too small with few passes. Joint NLL is of groups of ten inputs, for each input, where a pass "
    "predicts the whole group under its masks; pass correlation is that of two inputs' probabilities over the passes."
)
ENSEMBLES = (
    "The mean prediction of all seeds of a configuration; below it the mean of its single models on the same inputs. "
    "There is one such ensemble, so it has no interval. Its epistemic part is what the trainings disagree about, by "
    "the jackknife; its aleatoric part contains the masks' disagreement, because each member is the mean of its "
    "passes."
)
RISKS = (
    "Error of the share of inputs with the largest maximal probability, mean over the seeds; AURC is the mean over all "
    "shares. AURC is small where accuracy is high: the last column is what remains above an order with all errors last."
)


def knowledge(results: Results) -> Html | None:
    found = results.knowledge
    if found is None:
        return None
    return section(
        "What the noise knows",
        element("p", intro_of(found)),
        *(element("p", element("strong", said)) for said in findings_of(found)),
        element("ul", *(element("li", said) for said in limits_of(found))),
        element("h3", f"On {home_name(found)}"),
        prediction_table(results, found),
        note(PREDICTIONS),
        uncertainty_table(results, found),
        note(UNCERTAINTY),
        *_ensembles(found),
        *_confidence(found),
        *(part for inputs in found.strange for part in _strange(found, inputs)),
        *(part for family, levels in found.shifts.items() for part in _shift(found, family, levels)),
    )


def knowledge_charts(results: Results) -> list[Chart]:
    """Reliability, risk by coverage, and a chart for every shift; of each variant its first configuration."""
    found = results.knowledge
    if found is None:
        return []
    return [*_confidence_charts(found), *(_shift_chart(found, *shift) for shift in found.shifts.items())]


def _ensembles(found: Knowledge) -> list[Html]:
    drawn = ensemble_table(found)
    return [] if drawn is None else [element("h3", "Deep ensembles of the seeds"), drawn, note(ENSEMBLES)]


def _confidence(found: Knowledge) -> list[Html | None]:
    drawn = _confidence_charts(found)
    if not drawn:
        return []
    risks = risk_table(found)
    return [element("h3", "What confidence is worth"), *shown(drawn), risks, None if risks is None else note(RISKS)]


def _confidence_charts(found: Knowledge) -> list[Chart]:
    reliable = {one.trial.variant: bins for one in found.best if (bins := found.reliability(one)) is not None}
    risks = {one.trial.variant: _risk(found, one) for one in found.best}
    risks = {variant: points for variant, points in risks.items() if points}
    drawn = []
    if reliable:
        caption = (
            f"How often predictions of a confidence are right, on {home_name(found)}, all "
            f"{seeds_in(found)} together, a panel for every variant with the others in grey. On the "
            "dotted line they are right as often as they say; below it they are too sure. Bins with fewer than "
            f"{FEWEST_EVENTS} predictions are left out.{_first_of_each(found)}"
        )
        drawn.append(Chart("reliability", caption, reliability_figure(reliable)))
    if risks:
        caption = (
            f"The share of errors among the most confident inputs of {home_name(found)}, mean over "
            f"{seeds_in(found)}: lower is better, and a curve that falls to the left belongs to a model "
            f"that knows which of its answers to doubt.{_first_of_each(found)}"
        )
        drawn.append(Chart("risk_coverage", caption, risk_figure(risks)))
    return drawn


def _risk(found: Knowledge, one: Examined) -> Points:
    risks = found.risks(one)
    if risks is None:
        return []
    return [(float(share), float(np.mean([risk.at(float(share)) for risk in risks]))) for share in COVERED]


def _strange(found: Knowledge, inputs: InputSet) -> list[Content]:
    inside, outside = found.sizes(found.home)[0], found.sizes(inputs.name)[0]
    share = outside / (inside + outside)
    to = names_of(found)[found.control.trial.run_id]
    how = (
        f"AUROC is the chance that an input of {inputs.name} looks stranger than one of {home_name(found)}: 0.5 is "
        "guessing, below 0.5 the strange inputs look more familiar. The energy is that of the one pass without "
        f"masks. FPR at 95% is the share of {inputs.name} that is accepted where 95% of {home_name(found)} are, by "
        "the maximal probability, inputs tied with the threshold included. AUPR is by it too; by chance it is "
        f"{share:.3f}, the share of {inputs.name} among the {inside + outside:,} inputs. Below each figure are its "
        f"95% interval and its difference to {to}, seed by seed on the same inputs; it is bold where its interval "
        "excludes 0."
    )
    return [element("h3", f"{inputs.name}: {_kind(inputs)}"), detection_table(found, inputs), note(how)]


def _kind(inputs: InputSet) -> str:
    return {"semantic": "classes that the model was not trained for", "far": "inputs of another kind"}.get(
        inputs.kind, inputs.kind
    )


def _shift(found: Knowledge, family: str, levels: list[InputSet]) -> list[Content]:
    return [
        element("h3", f"{family}: shifted inputs, of which the labels still hold"),
        shift_table(found, levels),
        *shown([_shift_chart(found, family, levels)]),
    ]


def _shift_chart(found: Knowledge, family: str, levels: list[InputSet]) -> Chart:
    calibration: dict[str, Points] = {}
    auroc: dict[str, Points] = {}
    for one in found.best:
        means = [(float(each.level), one.mean(each.name, "ece")) for each in (found.sets[0], *levels)]
        calibration[one.trial.variant] = [(level, mean) for level, mean in means if mean is not None]
        detected = [(each.level, found.detected(one, each.name, "confidence", resamples=False)) for each in levels]
        auroc[one.trial.variant] = [(float(level), float(d.auroc.mean())) for level, d in detected if d is not None]
    caption = (
        f"{family} by its level, means over {seeds_in(found)}. On the left the calibration error, with "
        f"that of {home_name(found)} at level 0; on the right how well the maximal probability tells shifted inputs "
        f"from those (AUROC).{_first_of_each(found)}"
    )
    drawn = shift_figure({v: p for v, p in calibration.items() if p}, {v: p for v, p in auroc.items() if p})
    return Chart(f"shift_{family}", caption, drawn)


def _first_of_each(found: Knowledge) -> str:
    if len(found.best) == len(found.found):
        return ""
    return " Of a variant with several configurations, the one of least loss is drawn."
