"""What a person or a platform told us, in our own words."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Contract


class _Told(Contract):
    """What all of them carry; `key` is unique among the events of one webhook."""

    key: str
    at: datetime
    """When it happened, as the platform says: evidence, never our order."""


class _FromPerson(_Told):
    """Something a person did."""

    address: str
    language: str | None = None
    name: str | None = None


class PersonWrote(_FromPerson):
    """A message to the brand. `text` is none for a photo, a voice, …; `kind` says which."""

    type: Literal["wrote"] = "wrote"
    kind: str = "text"
    text: str | None = None
    platform_id: str
    reply_to: str | None = None
    """The platform's id of our message that this one answers."""


class PersonStarted(_FromPerson):
    """The person opened the conversation, perhaps through a link with a payload of ours."""

    type: Literal["started"] = "started"
    payload: str | None = None
    platform_id: str | None = None


class PersonTapped(_FromPerson):
    """The person tapped a button of ours."""

    type: Literal["tapped"] = "tapped"
    data: str
    platform_id: str | None = None
    """The platform's id of the message that carried the button."""
    tap_id: str | None = None
    """What the platform wants back so that the button stops turning."""


class PersonBlocked(_FromPerson):
    """The person blocked the account on the platform."""

    type: Literal["blocked"] = "blocked"


class PersonUnblocked(_FromPerson):
    """The person can be reached again; that is not a new consent."""

    type: Literal["unblocked"] = "unblocked"


class PersonOptedOut(_FromPerson):
    """The person told the platform that this account shall send no marketing any more."""

    type: Literal["opted_out"] = "opted_out"
    signal: str
    """What the platform calls it: `user_preferences.stop`, `131050`, `notification_messages.stop`.
    A limit of the platform's own, such as WhatsApp's 131049, is none: it is a refusal like any."""


class PersonOptedIn(_FromPerson):
    """The person gave the platform a yes for this account, by what it documents as an opt-in.

    Taking back a stop is no opt-in: where nothing else was agreed to, that is `unblocked`.
    """

    type: Literal["opted_in"] = "opted_in"
    signal: str
    """What the platform calls it, such as `user_preferences.signup`."""
    wording: str | None = None
    """What the platform showed, where it tells."""


class PersonLeft(_FromPerson):
    """The person left the account. Whether what is known of them goes too, their channel says."""

    type: Literal["left"] = "left"
    signal: str
    """What the platform calls it, such as WeChat's `unsubscribe`."""


class AddressMoved(_Told):
    """The platform gave the conversation another address."""

    type: Literal["moved"] = "moved"
    address: str
    new_address: str


class ReceiptCame(_Told):
    """The platform's later word about a message of ours."""

    type: Literal["receipt"] = "receipt"
    platform_id: str
    status: Literal["sent", "delivered", "read", "refused"]
    code: str | None = None


class NotUnderstood(_Told):
    """Kept raw and counted; nothing follows from it today."""

    type: Literal["unknown"] = "unknown"
    kind: str


InboundEvent = Annotated[
    PersonWrote
    | PersonStarted
    | PersonTapped
    | PersonBlocked
    | PersonUnblocked
    | PersonOptedOut
    | PersonOptedIn
    | PersonLeft
    | AddressMoved
    | ReceiptCame
    | NotUnderstood,
    Field(discriminator="type"),
]
