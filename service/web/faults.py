"""The exceptions that are reported to clients, and their words: one table for the API and the dashboard."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import psycopg2.errorcodes
import sqlalchemy.exc

from pernodedrop.installation import MissingPackage
from pernodedrop.near import did_you_mean
from search_spaces import UnknownPreset
from search_spaces.yaml_text import NotYaml
from service.reports.exports import NotConfirmed
from service.storage.access.keys import AdminFirst, KeyExists, KeyRevoked, LastAdmin, NameReserved, UnknownKey
from service.storage.access.shares import UnknownShare
from service.storage.database.connections import is_full
from service.storage.database.database import Database
from service.storage.database.sqlstates import DATABASE_ERRORS, FULL, Remedy, trouble_of
from service.storage.errors import (
    DatabaseRefuses,
    DatabaseUnreachable,
    EpochsMissing,
    IllegalTransition,
    LeaseLost,
    NotConfirmable,
    NotEnqueueable,
    NotExtendable,
    NotExternal,
    NotResumable,
    NotRetryable,
    NotSelectable,
    NotWithdrawable,
    OutOfOrder,
    SchemaOutdated,
    StudyExists,
    TrialEnded,
    UnknownStudy,
    UnknownTrial,
    UnknownWebhook,
    UnknownWorker,
    WebhookRefused,
)
from service.storage.records import StudyRecord
from service.storage.states import StudyState
from service.storage.studies import names
from service.web.access import LinkEnded, NotAllowed, TaskNotAllowed
from service.web.bodies import BodyTooLarge, BodyTooSlow, NotJson
from service.web.keys import TooManyWrongKeys, WrongKey
from service.web.lanes import Busy
from service.web.reports import ReportsBusy
from service.web.weights import NoWeights
from service.webhooks.addresses import AddressRefused


class NoCompleteTrial(Exception):
    """The study has no complete trial, so there is no best one."""

    def __init__(self, study: StudyRecord) -> None:
        ended = study.state in (StudyState.FAILED, StudyState.STOPPED)
        when = f", and has ended: it is {study.state}" if ended else " yet: ask again later"
        super().__init__(f"study {study.name!r} has no complete trial{when}")


class UnknownFigure(Exception):
    """The study has no figure of that name, or no results for it yet."""

    def __init__(self, study: str, figure: str, there: Sequence[str]) -> None:
        known = did_you_mean(
            figure, there, f"it has {', '.join(there)}" if there else "it has none yet: ask again later"
        )
        super().__init__(f"study {study!r} has no figure {figure!r}: {known}")


@dataclass(frozen=True)
class Fault:
    """The report of an exception to a client."""

    status: int
    error: str  # a name for programs
    message: str  # one line for people
    headers: Mapping[str, str] = field(default_factory=dict)
    near: str | None = None  # the study that was probably meant


RETRY_AFTER = {"Retry-After": "5"}  # s
NO_DATABASE = Fault(503, "database_unreachable", "the database does not answer: try again shortly", RETRY_AFTER)
BUSY = Fault(
    503, "busy", "the server is busy: every connection to the database is in use, try again shortly", RETRY_AFTER
)
REFUSED = Fault(
    503, "database_unreachable", "the database refuses this program: the server's log says why", RETRY_AFTER
)
NO_TABLES = Fault(503, "schema_outdated", "the database has no tables yet: run `pernodedrop db init`", RETRY_AFTER)

_NO_SUCH_LETTER = (psycopg2.errorcodes.UNTRANSLATABLE_CHARACTER, psycopg2.errorcodes.CHARACTER_NOT_IN_REPERTOIRE)

# Exceptions whose own text is the message.
_SPOKEN: Mapping[type[Exception], tuple[int, str, Mapping[str, str]]] = {
    NotJson: (400, "invalid_json", {}),
    NotYaml: (400, "invalid_yaml", {}),
    WrongKey: (401, "wrong_key", {"WWW-Authenticate": 'ApiKey realm="pernodedrop", Bearer realm="pernodedrop"'}),
    NotAllowed: (403, "not_allowed", {}),
    LinkEnded: (403, "link_ended", {}),
    TaskNotAllowed: (403, "task_not_allowed", {}),
    BodyTooSlow: (408, "body_too_slow", {"Connection": "close"}),
    UnknownStudy: (404, "unknown_study", {}),
    UnknownTrial: (404, "unknown_trial", {}),
    UnknownWorker: (404, "unknown_worker", {}),
    UnknownKey: (404, "unknown_key", {}),
    UnknownShare: (404, "unknown_share", {}),
    UnknownWebhook: (404, "unknown_webhook", {}),
    UnknownPreset: (404, "unknown_preset", {}),
    NoCompleteTrial: (404, "no_complete_trial", {}),
    UnknownFigure: (404, "unknown_figure", {}),
    NotConfirmed: (404, "not_confirmed", {}),
    NoWeights: (404, "no_weights", {}),
    KeyExists: (409, "key_exists", {}),
    KeyRevoked: (409, "key_revoked", {}),
    LastAdmin: (409, "last_admin", {}),
    StudyExists: (409, "study_exists", {}),
    IllegalTransition: (409, "illegal_transition", {}),
    NotExtendable: (409, "not_extendable", {}),
    NotResumable: (409, "not_resumable", {}),
    NotConfirmable: (409, "not_confirmable", {}),
    NotEnqueueable: (409, "not_enqueueable", {}),
    NotRetryable: (409, "not_retryable", {}),
    TrialEnded: (409, "trial_ended", {}),
    LeaseLost: (409, "lease_lost", {}),
    NotExternal: (409, "not_external", {}),
    OutOfOrder: (409, "out_of_order", {}),
    EpochsMissing: (409, "epochs_missing", {}),
    NotWithdrawable: (409, "not_withdrawable", {}),
    NotSelectable: (422, "invalid_request", {}),
    AdminFirst: (422, "invalid_request", {}),
    NameReserved: (422, "invalid_request", {}),
    WebhookRefused: (422, "invalid_request", {}),
    AddressRefused: (422, "address_refused", {}),
    BodyTooLarge: (413, "body_too_large", {"Connection": "close"}),
    TooManyWrongKeys: (429, "too_many_wrong_keys", {}),
    MissingPackage: (501, "missing_package", {}),
    SchemaOutdated: (503, "schema_outdated", RETRY_AFTER),
    Busy: (503, "busy", RETRY_AFTER),
    ReportsBusy: (503, "busy", RETRY_AFTER),
}
# Exceptions whose text names hosts and statements, which only the log may show.
_UNSPOKEN: tuple[type[Exception], ...] = (
    DatabaseUnreachable,
    DatabaseRefuses,
    *DATABASE_ERRORS,
)
KINDS: tuple[type[Exception], ...] = (*_SPOKEN, *_UNSPOKEN)


def fault_near(error: Exception, database: Database) -> Fault:
    """`fault_of` the exception; of a study that is not there it names the one that was probably meant."""
    fault = fault_of(error)
    if not isinstance(error, UnknownStudy):
        return fault
    with suppress(Exception):  # the answer is the same without
        meant = names.near(database, error.name)
        if meant is not None:
            return replace(fault, message=f"{fault.message}: did you mean {meant}?", near=meant)
    return fault


def fault_of(error: Exception) -> Fault:
    """Return the fault for an exception of `KINDS`; raise the exception again where it is a bug of ours."""
    for kind in type(error).__mro__:
        if kind in _SPOKEN:
            status, name, headers = _SPOKEN[kind]
            if isinstance(error, TooManyWrongKeys):
                headers = {"Retry-After": str(error.wait_s)}
            return Fault(status, name, str(error), headers)
    if isinstance(error, sqlalchemy.exc.TimeoutError) or is_full(error):
        return BUSY  # of our own connections, or of the server's
    if isinstance(error, DatabaseUnreachable):
        return _away(error.state)
    return REFUSED if isinstance(error, DatabaseRefuses) else _fault_of_database(error)


def _fault_of_database(error: Exception) -> Fault:
    """Return the fault of what passes by itself or need not happen again; a wrong statement is a bug and is raised."""
    trouble = trouble_of(error)
    if trouble is not None and trouble.code in _NO_SUCH_LETTER:
        return Fault(422, "not_storable", "the database's encoding lacks a letter of this: it takes one in UTF8")
    if trouble is None or trouble.remedy not in (Remedy.WAIT, Remedy.AGAIN):
        raise error
    if trouble.code in (psycopg2.errorcodes.UNDEFINED_TABLE, psycopg2.errorcodes.INVALID_SCHEMA_NAME):
        return NO_TABLES
    return _away(trouble.state)


def _away(state: str) -> Fault:
    remedy = "make room there, and everything goes on by itself" if state == FULL else "try again shortly"
    return replace(NO_DATABASE, message=f"the database {state}: {remedy}")


NO_ROOM = _away(FULL)
