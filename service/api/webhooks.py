"""Webhooks: who is told of what. An admin's affair: an address may have a secret in it, and leads somewhere."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from search_spaces.part import Part
from service.api.dependencies import MAX_RUN, DatabaseOf, SettingsOf
from service.api.errors import documented
from service.api.models import DeliveryOut, RetriedDeliveries, WebhookCreated, WebhookOut, Webhooks
from service.storage.webhooks import webhooks
from service.storage.webhooks.kinds import SUBSCRIBED, Event
from service.storage.webhooks.records import Delivery, Webhook
from service.storage.webhooks.webhooks import EVERY_STUDY, PATTERN
from service.web.bodies import Body, BodyRoute
from service.webhooks.addresses import MOST_OF_URL, checked_url

router = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=BodyRoute)

WebhookId = Annotated[int, Path(ge=1, le=MAX_RUN, description="This is the webhook's number.", examples=[1])]
Subscribed = Annotated[Event, Field(json_schema_extra={"enum": [event.value for event in SUBSCRIBED]}, strict=False)]


class WebhookIn(Part):
    url: str = Field(
        max_length=MOST_OF_URL,
        description="Messages are posted here. Addresses of the inside are refused unless the operator allows them.",
        examples=["https://hooks.example.org/pernodedrop"],
    )
    events: list[Subscribed] = Field(
        default=list(SUBSCRIBED),
        min_length=1,
        max_length=20,
        description="It is told of these.",
        examples=[["complete", "failed"]],
    )
    studies: str = Field(
        EVERY_STUDY,
        pattern=PATTERN,
        description="It is told of studies of these names: * stands for any letters, ? for one.",
        examples=["cifar10-*"],
    )


@router.get("")
def listed(database: DatabaseOf) -> Webhooks:
    """List the webhooks, each with how its last delivery went."""
    return Webhooks(webhooks=[_out(one) for one in webhooks.every(database)])


@router.post("", status_code=201, responses=documented(408, 413))
def add(wanted: Body[WebhookIn], database: DatabaseOf, settings: SettingsOf) -> WebhookCreated:
    """Register an address; the answer has the secret that its messages are signed with, once."""
    url = checked_url(wanted.url, settings.webhook_allow)
    made, secret = webhooks.add(database, url, wanted.events, wanted.studies)
    return WebhookCreated(**_out(made).model_dump(), secret=secret)


@router.delete("/{webhook}", status_code=204, responses=documented(404))
def remove(webhook: WebhookId, database: DatabaseOf) -> None:
    """Remove the webhook with what it was still to be told."""
    webhooks.remove(database, webhook)


@router.post("/{webhook}/test", status_code=202, responses=documented(404))
def test(webhook: WebhookId, database: DatabaseOf) -> DeliveryOut:
    """Send the webhook a message of the type test, once; the list says how it went."""
    return _delivery(webhooks.test(database, webhook))


@router.post("/{webhook}/retry", responses=documented(404))
def retry(webhook: WebhookId, database: DatabaseOf) -> RetriedDeliveries:
    """Let the webhook's dead deliveries be tried anew."""
    return RetriedDeliveries(retried=webhooks.retry(database, webhook))


def _out(webhook: Webhook) -> WebhookOut:
    return WebhookOut.model_validate(webhook, from_attributes=True)


def _delivery(delivery: Delivery) -> DeliveryOut:
    return DeliveryOut.model_validate(delivery, from_attributes=True)
