"""What routes ask for: the database, the settings, a checked name, a page of a list."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from pernodedrop.installation import MissingPackage
from search_spaces import Confirmation, StudyDefinition, parse_definition
from search_spaces.definition import NAME_PATTERN
from service.api.bodies import MAX_BODY_BYTES, BodyTooLarge, json_object
from service.api.changes import ExtensionIn, PriorityIn
from service.api.models import ErrorOut
from service.api.security import WrongKey
from service.settings import Settings
from service.storage.database import Database

Body = TypeVar("Body", bound=BaseModel)

MAX_PAGE = 1000
MAX_NUMBER = 2**31 - 1  # a Postgres integer


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _definition(body: Annotated[dict[str, Any], Depends(json_object)]) -> StudyDefinition:
    return parse_definition(body)


def _body_of(model: type[Body]) -> Callable[..., Body]:
    """Reads the bounded body as the model."""

    def read(body: Annotated[dict[str, Any], Depends(json_object)]) -> Body:
        try:
            return model.model_validate(body)
        except ValidationError as error:
            problems = error.errors(include_url=False)
            raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in problems]) from None

    return read


def described(model: type[BaseModel]) -> dict[str, Any]:
    """The `openapi_extra=` of a route that reads such a body by itself."""
    schema = model.model_json_schema()
    example = {name: field.get("examples", [field.get("default")])[0] for name, field in schema["properties"].items()}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


DatabaseOf = Annotated[Database, Depends(_database)]
SettingsOf = Annotated[Settings, Depends(_settings)]
SubmittedDefinition = Annotated[StudyDefinition, Depends(_definition)]
ChangedPriority = Annotated[PriorityIn, Depends(_body_of(PriorityIn))]
Extension = Annotated[ExtensionIn, Depends(_body_of(ExtensionIn))]
WantedConfirmation = Annotated[Confirmation, Depends(_body_of(Confirmation))]
StudyName = Annotated[str, Path(pattern=NAME_PATTERN, description="the study's name", examples=["digits-1"])]
TrialNumber = Annotated[int, Path(ge=0, le=MAX_NUMBER, description="the trial's number in its study", examples=[4])]
ConfirmationPlace = Annotated[
    int, Path(ge=0, le=MAX_NUMBER, description="the run's place in the confirmation, from 0", examples=[0])
]
WorkerId = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        description="the worker's id",
        examples=["6f1c9d5e-2b0a-4c53-9e64-1f0d2a7b8c31"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="at most so many")]
Offset = Annotated[int, Query(ge=0, le=MAX_NUMBER, description="how many to leave out before the first")]

_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ("The body is not JSON, or a foreign web page asks", "invalid_json", "the body is not JSON"),
    401: ("The key is missing or wrong", "wrong_key", str(WrongKey())),
    404: ("No such thing", "unknown_study", "no study is named 'digits-1'"),
    409: ("In conflict with what is there", "study_exists", "study 'digits-1' exists already"),
    413: ("The body is too large", "body_too_large", str(BodyTooLarge(MAX_BODY_BYTES))),
    422: ("A rule is broken", "invalid_definition", "search_space.drop_rate.high must be below 1, got 1.2"),
    501: (
        "A package for this kind of file is not installed",
        "missing_package",
        str(MissingPackage("PNG", "matplotlib", "export")),
    ),
    503: ("The database is away; see Retry-After", "database_unreachable", "the database cannot be reached"),
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that answers these errors."""
    return {status: _documented(*_ERRORS[status]) for status in statuses}


def _documented(description: str, error: str, message: str) -> dict[str, Any]:
    example: dict[str, Any] = {"error": error, "message": message}
    if error == "invalid_definition":
        example["problems"] = [{"path": message.partition(" ")[0], "message": message}]
    return {
        "model": ErrorOut,
        "description": description,
        "content": {"application/json": {"example": example}},
    }
