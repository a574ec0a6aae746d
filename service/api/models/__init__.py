"""The API's answers: one model per thing, each field with its meaning and unit."""

from service.api.models.answers import ConfirmedOut, ObjectiveOut, Ranking, RankingRow, RecommendedOut, WinnerOut
from service.api.models.errors import ErrorOut, ProblemOut
from service.api.models.examinations import ExaminationOut, ExaminationPage, FigureOut
from service.api.models.fleet import Figures, Health, Presets, Version, WorkerOut, Workers
from service.api.models.scalars import DecidedAs, Finite, Scalar
from service.api.models.studies import (
    BudgetOut,
    CountsOut,
    EarlierOut,
    LinksOut,
    Planned,
    StudyDetail,
    StudyOut,
    StudyPage,
    Submitted,
)
from service.api.models.trials import (
    AttemptOut,
    BestOut,
    CurvePointOut,
    TrialDetail,
    TrialOut,
    TrialPage,
    WeightsOut,
)

__all__ = [
    "AttemptOut",
    "BestOut",
    "BudgetOut",
    "ConfirmedOut",
    "CountsOut",
    "CurvePointOut",
    "DecidedAs",
    "EarlierOut",
    "ErrorOut",
    "ExaminationOut",
    "ExaminationPage",
    "FigureOut",
    "Figures",
    "Finite",
    "Health",
    "LinksOut",
    "ObjectiveOut",
    "Planned",
    "Presets",
    "ProblemOut",
    "Ranking",
    "RankingRow",
    "RecommendedOut",
    "Scalar",
    "StudyDetail",
    "StudyOut",
    "StudyPage",
    "Submitted",
    "TrialDetail",
    "TrialOut",
    "TrialPage",
    "Version",
    "WeightsOut",
    "WinnerOut",
    "WorkerOut",
    "Workers",
]
