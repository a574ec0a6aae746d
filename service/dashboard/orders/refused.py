"""Why a form was refused, as its page says it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from search_spaces import InvalidDefinition, InvalidScale
from service.dashboard.orders.known import UnknownOrder
from service.dashboard.orders.tokens import ForeignForm
from service.web.broken import problems_of
from service.web.faults import KINDS, fault_near

logger = logging.getLogger(__name__)

REFUSALS: tuple[type[Exception], ...] = (
    *KINDS,
    InvalidDefinition,
    InvalidScale,
    RequestValidationError,
    ForeignForm,
    UnknownOrder,
)


@dataclass(frozen=True)
class Refusal:
    """The answer to a form that was not done."""

    status: int
    messages: Sequence[str]  # one line each


def refusal_of(request: Request, error: Exception) -> Refusal:
    """The refusal for an exception of `REFUSALS`; raises the exception again where it is a bug of ours."""
    match error:
        case InvalidDefinition():
            return Refusal(422, [problem.message for problem in error.problems])
        case RequestValidationError():
            return Refusal(422, [problem.message for problem in problems_of(error)])
        case InvalidScale():
            return Refusal(422, [str(error)])
        case ForeignForm():
            return Refusal(403, [str(error)])
        case UnknownOrder():
            return Refusal(404, [str(error)])
    fault = fault_near(error, request.app.state.database)
    if fault.status >= 500:
        logger.warning("%s %s: %s", request.method, request.url.path, str(error).partition("\n")[0])
    return Refusal(fault.status, [fault.message])
