"""The page that submits a study: a text, looked at while it is typed, and the forms that write it."""

from contextlib import suppress
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from search_spaces.editing import NotEditable, edited
from search_spaces.json_text import decoded
from search_spaces.task_modules import TaskModules
from search_spaces.yaml_text import NotYaml, read_yaml
from service.dashboard.orders import texts
from service.dashboard.orders.fields import changes_of, form_part
from service.dashboard.orders.given import ordered
from service.dashboard.orders.looking import FULL, Flaw, Flawed, definition_of, plan
from service.dashboard.orders.outcomes import Outcome
from service.dashboard.orders.refused import REFUSALS, refusal_of
from service.dashboard.orders.submit_page import Shown, data_of, submit_page
from service.dashboard.orders.tokens import check_token
from service.storage.database.database import Database
from service.web import submissions
from service.web.access import Role, caller_of, check_task, require
from service.web.bodies import MAX_BODY_BYTES, PARSING, BodyTooLarge
from service.web.creations import Creations
from service.web.forms import Form, posted
from service.web.lanes import whose

FIRST = "quickstart"  # the preset that the page begins with


def show(request: Request) -> Response:
    """The page, with the text of a preset, or of a study that is to be cloned."""
    database: Database = request.app.state.database
    preset, like = request.query_params.get("preset"), request.query_params.get("like")
    require(request, Role.SUBMIT)
    try:
        text = texts.of_study(database, like) if like else texts.of_preset(database, preset or FIRST)
    except REFUSALS as error:
        refusal = refusal_of(request, error)
        shown = Shown("", flaws=[Flaw("", message) for message in refusal.messages])
        if refusal.status == 503:
            with suppress(LookupError):
                shown = Shown(texts.of_preset(None, preset or FIRST), flaws=shown.flaws)
        return submit_page(request, shown, refusal.status)
    return submit_page(request, Shown(text, preset=None if like else preset or FIRST))


async def submit(request: Request) -> Response:
    """Create the study of the text, and lead to its page."""
    require(request, Role.SUBMIT)
    form = Form({})
    try:
        form = await posted(request)

        async def call(creations: Creations) -> Outcome:
            definition = await PARSING.run(
                whose(request), definition_of, _text_of(form), form["scale"] or FULL, _modules(request)
            )
            check_task(caller_of(request), definition.task.name)
            study, fleet = await creations.run(submissions.create, definition)
            said = [f"Submitted {study.name}: its runs wait for workers", *fleet.advice(definition)]
            return Outcome(f"studies/{study.name}", " ".join(f"{each}." for each in said), study.name)

        return await ordered(request, "submit", Role.SUBMIT, form, call)
    except Flawed as error:
        return await run_in_threadpool(submit_page, request, _as_typed(form, error.flaws), 422)
    except REFUSALS as error:
        refusal = refusal_of(request, error)
        flaws = [Flaw("", message) for message in refusal.messages]
        return await run_in_threadpool(submit_page, request, _as_typed(form, flaws), refusal.status)


async def check(request: Request) -> Response:
    """Say what is wrong with the text, or what it would create: for the page's script."""
    try:
        require(request, Role.SUBMIT)
        form = await posted(request)
        check_token(request, form)
        return JSONResponse(await _looked(request, _text_of(form), form["scale"] or FULL))
    except REFUSALS as error:
        refusal = refusal_of(request, error)
        return JSONResponse({"message": refusal.messages[0]}, refusal.status)


async def write(request: Request) -> Response:
    """Write the form's fields into the text: the whole page, or for its script the new text."""
    by_script = "application/json" in request.headers.get("accept", "")
    form, text = Form({}), ""
    try:
        require(request, Role.SUBMIT)
        form = await posted(request)
        check_token(request, form)
        text = await PARSING.run(whose(request), _written, form)
        shown, status = Shown(text, scale=form["scale"] or FULL, is_form_open=True), 200
        if by_script:
            return JSONResponse({"text": text, **await _looked(request, text, form["scale"] or FULL)})
    except (NotEditable, NotYaml) as error:
        shown, status = _as_typed(form, [Flaw("", str(error))]), 422
    except REFUSALS as error:
        refusal = refusal_of(request, error)
        shown, status = _as_typed(form, [Flaw("", message) for message in refusal.messages]), refusal.status
    if by_script:
        return JSONResponse({"message": shown.flaws[0].message}, status)
    return await run_in_threadpool(submit_page, request, shown, status)


def _written(form: Form) -> str:
    text = _text_of(form)
    whole = decoded(text) if isinstance(text, bytes) else text
    data = read_yaml(whole)
    return edited(whole, changes_of(form, data if isinstance(data, dict) else {}))


async def _looked(request: Request, text: str | bytes, scale: str) -> dict[str, Any]:
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    fields = await PARSING.run(whose(request), lambda: form_part(data_of(whole)))
    try:
        definition = await PARSING.run(whose(request), definition_of, text, scale, _modules(request))
        check_task(caller_of(request), definition.task.name)
        said = await run_in_threadpool(plan, request.app.state.database, definition, _modules(request))
    except Flawed as error:
        problems = [
            {"path": flaw.path, "message": flaw.message, "line": flaw.place.line if flaw.place else None}
            for flaw in error.flaws
        ]
        return {"problems": problems, "plan": [], "fields": fields}
    return {"problems": [], "plan": said, "fields": fields}


def _text_of(form: Form) -> str | bytes:
    """The chosen file's text, else the typed one."""
    text = form.files.get("file") or form["text"].replace("\r\n", "\n")
    if len(text if isinstance(text, bytes) else text.encode("utf-8", "replace")) > MAX_BODY_BYTES:
        raise BodyTooLarge(MAX_BODY_BYTES)
    return text


def _as_typed(form: Form, flaws: Any) -> Shown:
    text = form.files.get("file")
    typed = form["text"] if text is None else text[:MAX_BODY_BYTES].decode("utf-8", "replace")
    return Shown(typed.replace("\r\n", "\n"), scale=form["scale"] or FULL, flaws=list(flaws))


def _modules(request: Request) -> TaskModules:
    modules: TaskModules = request.app.state.task_modules
    return modules


ROUTES: list[BaseRoute] = [
    Route("/submit", show),
    Route("/submit", submit, methods=["POST"]),
    Route("/submit/check", check, methods=["POST"]),
    Route("/submit/fields", write, methods=["POST"]),
]
