"""Webhooks and what they were told."""

from datetime import datetime

from pydantic import BaseModel, Field

from service.storage.webhooks.kinds import Event


class DeliveryOut(BaseModel):
    id: str = Field(
        description="The receiver knows a repetition by it: all tries have it as webhook-id.",
        examples=["evt_0f8e2a1c4b5d69788796a5b4c3d2e1f0"],
    )
    type: Event
    study: str | None = Field(examples=["digits-1"])
    state: str = Field(description="The delivery is waiting, delivered or dead.", examples=["delivered"])
    tries: int = Field(examples=[1])
    status: int | None = Field(description="The receiver answered the last try with this status.", examples=[204])
    error: str | None = Field(description="This went wrong at the last try.")
    at: datetime = Field(description="It happened then.")
    tried_at: datetime | None
    next_at: datetime = Field(description="While it waits, it is not tried again before.")


class WebhookOut(BaseModel):
    id: int = Field(examples=[1])
    url: str = Field(examples=["https://hooks.example.org/pernodedrop"])
    events: list[Event]
    studies: str = Field(description="It is told of the studies of these names.", examples=["cifar10-*"])
    created_at: datetime
    waiting: int = Field(description="So many deliveries are to be tried, or tried again.", examples=[0])
    delivered: int = Field(examples=[3])
    dead: int = Field(description="So many were given up after a day; retry lets them be tried anew.", examples=[0])
    last: DeliveryOut | None = Field(description="This delivery was tried last.")


class WebhookCreated(WebhookOut):
    secret: str = Field(
        description="Messages are signed with it. It is shown once, here.",
        examples=["whsec_bm8gc2VjcmV0LCBhbiBleGFtcGxlIG9ubHk="],
    )


class Webhooks(BaseModel):
    webhooks: list[WebhookOut]


class RetriedDeliveries(BaseModel):
    retried: int = Field(description="So many dead deliveries wait again.", examples=[2])
