"""Why a connection was refused, read from the words: psycopg2 does not pass on the SQLSTATE of a refusal.

A server of another language says other words, and its refusals count as those of a server that does not answer.
"""

import re

import psycopg2.errorcodes as codes

# What libpq says before it has asked any server. Its own errors have no SQLSTATE; this is our own name for them.
WRONG_SETTING = "setting"

_SIGNS = (
    ("too many clients already|connection slots are reserved|too many connections", codes.TOO_MANY_CONNECTIONS),
    ("password authentication failed|no password supplied", codes.INVALID_PASSWORD),
    (
        'role ".*" does not exist|is not permitted to log in|no pg_hba.conf entry|authentication failed',
        codes.INVALID_AUTHORIZATION_SPECIFICATION,
    ),
    ('permission denied for database ".*"', codes.INSUFFICIENT_PRIVILEGE),
    ('database ".*" does not exist', codes.INVALID_CATALOG_NAME),
    ('database ".*" is not currently accepting connections', codes.OBJECT_NOT_IN_PREREQUISITE_STATE),
    ("the database system is ", codes.CANNOT_CONNECT_NOW),  # starting up, shutting down, in recovery mode
    ("terminating connection due to administrator command", codes.ADMIN_SHUTDOWN),
    ("session is read-only|server is in hot standby mode", codes.READ_ONLY_SQL_TRANSACTION),  # of several hosts
    ("unsupported startup parameter", codes.PROTOCOL_VIOLATION),
    (
        "^(invalid|weak|could not match|definition of service|service file|syntax error in service file)|"
        'invalid integer value ".*" for connection option|unrecognized configuration parameter|'
        "FATAL:  invalid value for parameter|FATAL:  parameter ",
        WRONG_SETTING,
    ),
)


def code_of(refusal: str) -> str | None:
    """The SQLSTATE of a refused connection, `WRONG_SETTING`, or None where no server answered."""
    return next((code for sign, code in _SIGNS if re.search(sign, refusal, re.MULTILINE)), None)


def line_of(refusal: str) -> str:
    """The line that says most: of several addresses, that of a server that has answered."""
    lines = refusal.strip().splitlines()
    return next((line for line in lines if "FATAL: " in line), lines[0] if lines else "")
