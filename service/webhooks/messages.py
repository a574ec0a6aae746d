"""What a webhook is sent: a body, and headers by which its receiver knows who sends and what is a repetition.

They are those of the Standard Webhooks specification: https://github.com/standard-webhooks/standard-webhooks.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from pernodedrop.installation import installed_version
from pernodedrop.visible import visible
from service.settings import Settings
from service.storage.webhooks.kinds import Event
from service.storage.webhooks.records import Message

# Chat rooms read `text` by rules of their own: Slack `<!channel>` and `<address|words>`, Mattermost, Teams and Discord
# `@everyone` and `[words](address)`, Teams HTML too. Nobody tells us which of them reads, and no escape is one for all,
# so what has a meaning to any of them becomes a letter that looks alike and has none.
_MEANT = str.maketrans(
    {
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
        "@": "\N{FULLWIDTH COMMERCIAL AT}",
    }
)


def body_of(message: Message, settings: Settings) -> bytes:
    """The body: JSON with the event's id, type, time, study, facts, links, and a text for people."""
    said = {
        "id": message.id,
        "type": message.type,
        "timestamp": message.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "study": message.study,
        "text": text_of(message),
        "data": dict(message.facts),
        "links": _links(message.study, settings),
    }
    return json.dumps(said, allow_nan=False).encode()


def headers_of(message: Message, body: bytes, now: float) -> dict[str, str]:
    """The headers of one try, which begins at `now` (s since 1970)."""
    timestamp = str(int(now))
    return {
        "Content-Type": "application/json",
        "User-Agent": f"PerNodeDrop/{installed_version()}",
        "webhook-id": message.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(message.secret, message.id, timestamp, body),
    }


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of id, timestamp and body with the secret, both in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, said, hashlib.sha256)).decode()}"


def text_of(message: Message) -> str:
    """The event in a sentence that no chat room obeys; `data` has the facts as they are.

    A study's name is of letters, digits, `.`, `_` and `-`, so what trials and people say comes in by reasons alone.
    """
    study, facts = message.study, message.facts
    match message.type:
        case Event.COMPLETE:
            return f"study {study} is complete: {_trials(facts)}"
        case Event.FAILED:
            why = f": {_inert(facts['reason'])}" if facts.get("reason") else ""
            return f"study {study} has failed, no trial is complete ({_trials(facts)}){why}"
        case Event.DECIDED:
            return f"study {study} is decided after {facts.get('seeds')} seeds: {facts.get('outcome')}"
        case Event.PAUSED:
            return f"study {study} has paused itself: {_inert(facts.get('reason'))}"
        case Event.NO_WORKER:
            studies = facts.get("studies", 0)
            return f"no worker is alive, and trials of {studies} {'study' if studies == 1 else 'studies'} wait"
        case _:
            return "this is a test of the webhook: nothing has happened"


def _inert(said: object) -> str:
    """The words without what mentions people, or hides an address behind words, in a chat room."""
    return visible(str(said)).translate(_MEANT).replace("](", "] (")


def _trials(facts: Mapping[str, Any]) -> str:
    counts: Mapping[str, int] = facts.get("trials", {})
    order = ("complete", "pruned", "failed", "cancelled")
    return ", ".join(f"{counts[state]} {state}" for state in order if counts.get(state)) or "it had no trial"


def _links(study: str | None, settings: Settings) -> dict[str, str]:
    if study is None:
        return {"dashboard": settings.dashboard_url, "workers": f"{settings.url}/v1/workers"}
    return {
        "dashboard": f"{settings.dashboard_url}/studies/{study}",
        "study": f"{settings.url}/v1/studies/{study}",
        "report": f"{settings.url}/v1/studies/{study}/report",
    }
