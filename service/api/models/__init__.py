"""The API's answers: one model per thing, each field with its meaning and unit."""

from service.api.models.answers import ConfirmedOut, ObjectiveOut, Ranking, RankingRow, RecommendedOut, WinnerOut
from service.api.models.errors import ErrorOut, ProblemOut
from service.api.models.examinations import ExaminationOut, ExaminationPage, FigureOut
from service.api.models.fleet import Figures, Health, Presets, WorkerOut, Workers
from service.api.models.logs import AttemptLog, Logs
from service.api.models.scalars import DecidedAs, Finite, Scalar
from service.api.models.studies import (
    BudgetOut,
    CountsOut,
    EarlierOut,
    LinksOut,
    Retried,
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
    "AttemptLog",
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
    "Logs",
    "ObjectiveOut",
    "Presets",
    "ProblemOut",
    "Ranking",
    "RankingRow",
    "RecommendedOut",
    "Retried",
    "Scalar",
    "StudyDetail",
    "StudyOut",
    "StudyPage",
    "Submitted",
    "TrialDetail",
    "TrialOut",
    "TrialPage",
    "WeightsOut",
    "WinnerOut",
    "WorkerOut",
    "Workers",
]
