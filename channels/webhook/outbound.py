"""Posting messages to a brand's own system, signed, under an id that never changes."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel

from channels.base.channel import AddressPolicy, Connected, Delivery, MediaShelf
from channels.base.outcomes import (
    AccountBroken,
    OutcomeUnknown,
    SendError,
    Sent,
    TooLate,
    TryAgain,
)
from channels.base.taking_back import Recall, TakenBack, Turn
from channels.webhook.answers import refusal
from channels.webhook.credentials import Credentials
from channels.webhook.signing import ended_id, inbound_key, webhook_id
from shared import clock, ids
from shared.http import (
    NotSent,
    Prepared,
    Response,
    SendingClient,
    SendingError,
    StartedTooLate,
)
from shared.security.standard_webhooks import HeadersOf, spell

ANSWER_WITHIN = 15.0
"""Seconds from the write until an answer counts as lost."""

_ANSWER_BYTES = 20_000
_JSON = {"content-type": "application/json"}


def open_sender(
    credentials: BaseModel, *, shelf: MediaShelf, addresses: AddressPolicy
) -> "WebhookSender":
    """Open a brand's system. The shelf stays untouched: media travel as references."""
    assert isinstance(credentials, Credentials)
    client = SendingClient(addresses, answer_limit=_ANSWER_BYTES, cut_long_answers=True)
    return WebhookSender(credentials, client=client)


class WebhookSender:
    """One brand's system, with connections of its own."""

    def __init__(self, credentials: Credentials, *, client: SendingClient) -> None:
        """Read the secret once."""
        self._host = urlsplit(credentials.url).netloc
        self._headers = HeadersOf(credentials.key)
        self._client = client
        self._url = credentials.url
        self._prepared: Prepared | None = None

    async def send(self, delivery: Delivery) -> Sent:
        """Post one part; its platform id is its webhook-id, so receipts can name it."""
        message_id = webhook_id(delivery.message_id, delivery.part_number)
        document = {
            **delivery.part.params,
            "message_id": str(delivery.message_id),
            "part": delivery.part_number,
            "address": delivery.address,
        }
        await self._post(message_id, document, start_before=delivery.start_before)
        return Sent((message_id,))

    async def take_back(self, recall: Recall, turn: Turn) -> TakenBack:
        """Tell the brand's system that a story is over; a 2xx says that it shows it no more."""
        document: dict[str, object] = {
            "type": "ended",
            "message_id": str(recall.message_id),
            "address": recall.address,
            "parts": [number for sent in recall.parts for number in sent.platform_ids],
        }
        await turn()
        await self._post(ended_id(recall.message_id), document, start_before=None)
        return TakenBack("deleted")

    async def connect(self, webhook_url: str, secret: str) -> Connected:
        """Tell the brand's system where to post what people say, and the secret to sign it with."""
        document: dict[str, object] = {
            "type": "connected",
            "webhook_url": webhook_url,
            "secret": spell(inbound_key(secret)),
        }
        try:
            await self._post(f"msg_{ids.new_id().hex}", document, start_before=None)
        except OutcomeUnknown as error:
            raise TryAgain(error.code, error.detail) from error
        return Connected(platform_id=self._host, name=self._host)

    async def acknowledge(self, tap_id: str) -> None:
        """Do nothing: the brand's own system shows its buttons."""

    async def close(self) -> None:
        """Let go of every connection."""
        await self._client.close()

    async def _post(
        self, message_id: str, document: Mapping[str, object], *, start_before: float | None
    ) -> None:
        body = orjson.dumps(document)
        signature = self._headers.lines(message_id=message_id, at=clock.now(), body=body)
        try:
            self._prepared = self._prepared or self._client.prepare(self._url, _JSON)
            response = await self._client.send(
                self._prepared.plus_lines(signature),
                body,
                start_before=start_before,
                timeout=ANSWER_WITHIN,
            )
        except SendingError as error:
            raise _without_answer(error) from error
        _check(response)


def _check(response: Response) -> None:
    if not 200 <= response.status < 300:
        raise refusal(response.status, response.headers, response.body, now=clock.now())


def _without_answer(error: SendingError) -> SendError:
    if isinstance(error, StartedTooLate):
        return TooLate(error.code)
    if isinstance(error, NotSent):
        if error.code == "forbidden_address":
            return AccountBroken(error.code, "this address may not be called")
        return TryAgain(error.code)
    return OutcomeUnknown(error.code)
