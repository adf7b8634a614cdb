"""Sending through Telegram: aiogram's Bot and methods over the house's own session."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from aiogram import Bot, methods
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import AiogramError
from aiogram.methods import TelegramMethod
from aiogram.types import BufferedInputFile
from pydantic import BaseModel

from channels.base.channel import AddressPolicy, Connected, Delivery, MediaShelf
from channels.base.outcomes import AccountBroken, Refused, SendError, Sent, TryAgain
from channels.base.taking_back import Recall, TakenBack, Turn
from channels.telegram import media, taking_back
from channels.telegram.addresses import is_group
from channels.telegram.credentials import Credentials
from channels.telegram.errors import REFERENCE_UNKNOWN
from channels.telegram.failures import outcome_of
from channels.telegram.session import (
    START_BEFORE,
    Outline,
    Taken,
    TelegramSession,
    id_of_message,
)
from shared.contracts.stories import Part
from shared.http import SendingClient, SendingError

ANSWER_WITHIN = 30.0
"""Seconds from the write until an answer counts as lost."""

UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")
"""What we ask Telegram to tell us: what people say, tap and block."""

_CONNECTIONS_TO_US = 40
_OUTLINES = 64
"""Parts that are kept serialised: a campaign has one for each language."""
_TAKE_BACK_WITHIN = 10
"""Seconds: an answer that is lost only means that the call is made again."""
_UPLOAD_BYTES_PER_SECOND = 500_000

_METHODS: Mapping[str, type[TelegramMethod[Any]]] = {
    method.__api_method__: method
    for method in (
        methods.SendMessage,
        methods.SendPhoto,
        methods.SendVideo,
        methods.SendAnimation,
        methods.SendMediaGroup,
        methods.SendRichMessage,
    )
}


def open_sender(
    credentials: BaseModel, *, shelf: MediaShelf, addresses: AddressPolicy
) -> "TelegramSender":
    """Open a bot."""
    assert isinstance(credentials, Credentials)
    return TelegramSender(credentials, shelf=shelf, client=SendingClient(addresses))


class _Known(NamedTuple):
    """What is sent, with the part that it was made of: as long as it is here, its `id` is its."""

    part: Part
    outline: Outline


class TelegramSender:
    """One bot, with connections of its own."""

    def __init__(
        self, credentials: Credentials, *, shelf: MediaShelf, client: SendingClient
    ) -> None:
        """Prepare every kind of call once: what differs later is the content and the chat."""
        api = TelegramAPIServer.from_base(credentials.api_base)
        self._shelf = shelf
        self._client = client
        self._session = TelegramSession(client, api=api, timeout=ANSWER_WITHIN)
        self._bot = Bot(credentials.token.get_secret_value(), session=self._session)
        self._calls = {
            name: self._session.outline(self._bot, method.model_construct())
            for name, method in _METHODS.items()
        }
        self._outlines: OrderedDict[int, _Known] = OrderedDict()

    async def send(self, delivery: Delivery) -> Sent:
        """Hand one part to Telegram; the ids are those of its messages, an album's all."""
        try:
            if delivery.part.media:
                return _sent(await self._send_media(delivery))
            return await self._send_known(delivery)
        except (AiogramError, SendingError) as error:
            outcome = outcome_of(error, group=is_group(delivery.address))
            if isinstance(outcome, Sent):
                return outcome
            raise outcome from error

    async def _send_known(self, delivery: Delivery) -> Sent:
        """Send what is the same for everybody but for the chat, and was serialised once."""
        part = delivery.part
        known = self._outlines.get(id(part))
        if known is None:
            known = self._outline(part)
        outline = known.outline
        response = await self._client.send(
            outline.prepared,
            b"%b%d}" % (outline.before_chat, int(delivery.address)),
            start_before=delivery.start_before,
            timeout=ANSWER_WITHIN,
        )
        message_id = id_of_message(response)
        if message_id is not None:
            return Sent((message_id,))
        return _sent(self._session.read(self._bot, outline, response))

    def _outline(self, part: Part) -> "_Known":
        call = self._calls[part.method]
        start = orjson.dumps(part.params)[:-1] + b',"chat_id":'
        known = _Known(part, Outline(call.method, call.prepared, start))
        self._outlines[id(part)] = known
        if len(self._outlines) > _OUTLINES:
            self._outlines.popitem(last=False)
        return known

    async def _send_json(self, delivery: Delivery, params: bytes) -> Taken:
        call = self._calls[delivery.part.method]
        start = params[:-1] + b',"chat_id":'
        return await self._session.send(
            self._bot,
            Outline(call.method, call.prepared, start),
            int(delivery.address),
            start_before=delivery.start_before,
        )

    async def _send_media(self, delivery: Delivery) -> Taken:
        """Send by file ids, or with the bytes of what Telegram does not have yet.

        A file id that Telegram forgot took nothing, so this very attempt goes on with the bytes, if
        there is time: it is no fault of the message, and must not cost it a try.
        """
        try:
            return await self._send_once(delivery)
        except _ReferenceForgotten:
            try:
                return await self._send_once(delivery)
            except _ReferenceForgotten as error:
                raise TryAgain("reference_forgotten") from error

    async def _send_once(self, delivery: Delivery) -> Taken:
        part, load = delivery.part, media.Load()
        try:
            await media.pick_up(part.media, self._shelf, load, delivery.start_before)
            if not load.owed:
                params = media.fill_json(orjson.dumps(part.params), load.known)
                return await self._send_json(delivery, params)
            taken = await self._upload(delivery, load)
            await media.put_down(part, load, self._shelf, taken.messages)
            return taken
        except AiogramError as error:
            await self._doubt_references(error, load)
            raise
        finally:
            await media.give_up(load, self._shelf)

    async def _upload(self, delivery: Delivery, load: media.Load) -> Taken:
        references: dict[str, object] = {f"media:{m}": known for m, known in load.known.items()}
        for media_id, file in load.files.items():
            references[f"media:{media_id}"] = BufferedInputFile(file.data, file.name)
        params: dict[str, Any] = media.fill(delivery.part.params, references)
        method = _METHODS[delivery.part.method].model_construct(
            chat_id=int(delivery.address), **params
        )
        size = sum(len(file.data) for file in load.files.values())
        within = int(ANSWER_WITHIN + size / _UPLOAD_BYTES_PER_SECOND)
        token = START_BEFORE.set(delivery.start_before)
        try:
            taken = await self._bot(method, request_timeout=within)
        finally:
            START_BEFORE.reset(token)
        assert isinstance(taken, Taken)
        return taken

    async def _doubt_references(self, error: AiogramError, load: media.Load) -> None:
        """Forget the file ids that Telegram refused, so that the bytes are brought again.

        A refusal of a call without file ids is about the bytes, and final.
        """
        outcome = outcome_of(error, group=False)
        if not (isinstance(outcome, SendError) and outcome.code == REFERENCE_UNKNOWN):
            return
        if load.known:
            for media_id, reference in load.known.items():
                await self._shelf.forget(media_id, reference)
            raise _ReferenceForgotten from error

    async def take_back(self, recall: Recall, turn: Turn) -> TakenBack:
        """Delete a message within its 48 hours, or let it say that it is over."""

        async def call(method: TelegramMethod[Any]) -> object:
            return await self._bot(method, request_timeout=_TAKE_BACK_WITHIN)

        return await taking_back.take_back(call, recall, turn)

    async def connect(self, webhook_url: str, secret: str) -> Connected:
        """Ask who the bot is, name our webhook, and see that Telegram took it."""
        try:
            bot = await self._bot(methods.GetMe())
            await self._bot(
                methods.SetWebhook(
                    url=webhook_url,
                    secret_token=secret,
                    allowed_updates=list(UPDATES),
                    max_connections=_CONNECTIONS_TO_US,
                )
            )
            webhook = await self._bot(methods.GetWebhookInfo())
        except (AiogramError, SendingError) as error:
            outcome = outcome_of(error, group=False)
            if isinstance(outcome, Refused):
                raise AccountBroken("webhook_refused", outcome.detail) from error
            assert isinstance(outcome, SendError)
            raise outcome from error
        if webhook.url != webhook_url:
            raise AccountBroken("webhook_not_set", "another program set the bot's webhook")
        return Connected(platform_id=str(bot.id), name=bot.username or bot.first_name)

    async def acknowledge(self, tap_id: str) -> None:
        """Let the button stop turning; a failure shows nothing worse than a turning button."""
        try:
            await self._bot(methods.AnswerCallbackQuery(callback_query_id=tap_id))
        except (AiogramError, SendingError):
            return

    async def close(self) -> None:
        """Let go of every connection."""
        await self._client.close()


class _ReferenceForgotten(Exception):
    """Telegram refused a file id that it gave us; the shelf has forgotten it too."""


def _sent(taken: Taken) -> Sent:
    """Return the messages' ids; 0 is what Telegram says of a video that it will send later."""
    return Sent(tuple(str(number) for number in taken.message_ids if number))
