"""Unmodified aiogram against the simulated Telegram: every kind sent, every exception its own."""

import asyncio
import io
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import GetMe, SendMessage
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
    InputRichBlockParagraph,
    InputRichBlockPhoto,
    InputRichBlockSlideshow,
    InputRichMessage,
    Message,
    Update,
)
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web
from PIL import Image

from channels.base.simulator import Listener, serving
from channels.telegram.simulator import OWN_BOT, OWN_TOKEN, Platform

ACCOUNT = str(OWN_BOT)
KEYBOARD = InlineKeyboardMarkup(
    inline_keyboard=[
        [
            InlineKeyboardButton(text="Shop", url="https://example.com/shop"),
            InlineKeyboardButton(text="Stop", callback_data="u:stop"),
        ]
    ]
)


def picture(width: int = 320, height: int = 568, colour: str = "teal") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def upload(name: str = "a.jpg", **options: object) -> BufferedInputFile:
    return BufferedInputFile(picture(**options), name)  # type: ignore[arg-type]


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    platform = Platform()
    platform.set_limits(None, {"chat_per_second": 0})
    yield platform
    await platform.close()


@pytest.fixture
async def listener(platform: Platform) -> AsyncIterator[Listener]:
    async with serving(platform.app()) as listener:
        yield listener


@pytest.fixture
async def bot(listener: Listener) -> AsyncIterator[Bot]:
    server = TelegramAPIServer.from_base(f"{listener.base_url}/telegram")
    bot = Bot(OWN_TOKEN, session=AiohttpSession(api=server))
    yield bot
    await bot.session.close()


@pytest.fixture
def person(platform: Platform) -> int:
    return int(platform.person())


async def test_text_with_markup_and_buttons(bot: Bot, platform: Platform, person: int) -> None:
    sent = await bot.send_message(
        person, "<b>Ciao</b> 🙂 https://example.com", parse_mode="HTML", reply_markup=KEYBOARD
    )

    assert sent.text == "Ciao 🙂 https://example.com"
    assert [(e.type, e.offset, e.length) for e in sent.entities or []] == [
        ("bold", 0, 4),
        ("url", 8, 19),
    ]
    (shown,) = platform.phone(str(person))
    assert shown["text"] == "Ciao 🙂 https://example.com"
    assert shown["buttons"] == [
        [{"text": "Shop", "url": "https://example.com/shop"}, {"text": "Stop", "data": "u:stop"}]
    ]


async def test_media_of_every_kind(bot: Bot, platform: Platform, person: int) -> None:
    photo = await bot.send_photo(person, upload(), caption="one")
    video = await bot.send_video(
        person, BufferedInputFile(b"not really a film", "v.mp4"), width=720, height=1280, duration=5
    )
    animation = await bot.send_animation(person, BufferedInputFile(b"GIF89a....", "a.gif"))
    document = await bot.send_document(person, BufferedInputFile(b"%PDF-1.7", "menu.pdf"))

    assert photo.photo is not None
    assert (photo.photo[-1].width, photo.photo[-1].height) == (320, 568)
    assert video.video is not None
    assert (video.video.width, video.video.duration) == (720, 5)
    assert animation.animation is not None
    assert document.document is not None
    assert document.document.file_name == "menu.pdf"
    kinds = [message["kind"] for message in platform.phone(str(person))]
    assert kinds == ["photo", "video", "animation", "document"]


async def test_an_upload_is_sent_again_by_its_id(bot: Bot, platform: Platform, person: int) -> None:
    first = await bot.send_photo(person, upload())
    assert first.photo is not None

    again = await bot.send_photo(person, first.photo[-1].file_id)

    assert again.photo == first.photo
    shown = platform.phone(str(person))
    assert shown[0]["media"] == shown[1]["media"]


async def test_a_file_can_be_downloaded(bot: Bot, person: int) -> None:
    data = picture()
    sent = await bot.send_photo(person, BufferedInputFile(data, "a.jpg"))
    assert sent.photo is not None

    back = await bot.download(sent.photo[-1].file_id)

    assert back is not None
    assert back.read() == data


async def test_an_album(bot: Bot, platform: Platform, person: int) -> None:
    sent = await bot.send_media_group(
        person,
        [
            InputMediaPhoto(media=upload(colour="red"), caption="Autunno"),
            InputMediaPhoto(media=upload(colour="blue")),
            InputMediaVideo(
                media=BufferedInputFile(b"film", "v.mp4"), width=9, height=16, duration=1
            ),
        ],
    )

    assert len({message.media_group_id for message in sent}) == 1
    assert sent[0].caption == "Autunno"
    shown = platform.phone(str(person))
    assert [message["kind"] for message in shown] == ["photo", "photo", "video"]
    assert shown[0]["album"] is not None


async def test_a_slideshow(bot: Bot, platform: Platform, person: int) -> None:
    frames = [
        InputRichBlockPhoto(photo=InputMediaPhoto(media=upload(colour=colour)))
        for colour in ("orange", "brown")
    ]
    sent = await bot.send_rich_message(
        person,
        InputRichMessage(
            blocks=[InputRichBlockSlideshow(blocks=frames), InputRichBlockParagraph(text="Ciao")]
        ),
        reply_markup=KEYBOARD,
    )

    assert sent.rich_message is not None
    assert [block.type for block in sent.rich_message.blocks] == ["slideshow", "paragraph"]
    (shown,) = platform.phone(str(person))
    assert [block["media"]["kind"] for block in shown["blocks"][0]["blocks"]] == ["photo", "photo"]


async def test_copy_forward_edit_delete(bot: Bot, platform: Platform, person: int) -> None:
    other = int(platform.person())
    sent = await bot.send_message(person, "one", reply_markup=KEYBOARD)

    copied = await bot.copy_message(other, person, sent.message_id)
    forwarded = await bot.forward_message(other, person, sent.message_id)
    edited = await bot.edit_message_text("two", chat_id=person, message_id=sent.message_id)
    await bot.delete_message(other, copied.message_id)

    assert forwarded.forward_origin is not None
    assert isinstance(edited, Message)
    assert edited.text == "two"
    assert edited.reply_markup is None
    assert [message["text"] for message in platform.phone(str(other))] == ["one"]
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await bot.edit_message_text("two", chat_id=person, message_id=sent.message_id)
    with pytest.raises(TelegramBadRequest, match="message to edit not found"):
        await bot.edit_message_text("x", chat_id=person, message_id=1)


async def test_an_edited_medium(bot: Bot, platform: Platform, person: int) -> None:
    sent = await bot.send_photo(person, upload(), caption="old")

    await bot.edit_message_media(
        InputMediaPhoto(media=upload(colour="black"), caption="gone"),
        chat_id=person,
        message_id=sent.message_id,
    )
    await bot.edit_message_caption(
        chat_id=person, message_id=sent.message_id, caption="over", reply_markup=KEYBOARD
    )
    await bot.edit_message_reply_markup(chat_id=person, message_id=sent.message_id)

    (shown,) = platform.phone(str(person))
    assert (shown["text"], shown["buttons"], shown["edited"]) == ("over", [], True)


async def test_two_days_later_nothing_can_be_deleted(
    bot: Bot, platform: Platform, person: int
) -> None:
    sent = await bot.send_message(person, "for ever")
    platform.clock.advance(48 * 3600)

    with pytest.raises(TelegramBadRequest, match="message can't be deleted"):
        await bot.delete_message(person, sent.message_id)
    assert await bot.delete_messages(person, [sent.message_id])
    assert len(platform.phone(str(person))) == 1


async def test_who_the_bot_is(bot: Bot, person: int) -> None:
    me = await bot.get_me()
    chat = await bot.get_chat(person)
    member = await bot.get_chat_member(person, person)
    await bot.set_my_commands([BotCommand(command="stop", description="Stop")])
    commands = await bot.get_my_commands()

    assert me.id == OWN_BOT
    assert chat.id == person
    assert member.status == "member"
    assert commands[0].command == "stop"
    assert await bot.send_chat_action(person, "typing")


@pytest.mark.parametrize(
    ("fault", "exception", "words"),
    [
        ("rate_limited", TelegramRetryAfter, "Too Many Requests: retry after 3"),
        ("down", TelegramServerError, "Service Unavailable"),
        ("blocked", TelegramForbiddenError, "bot was blocked by the user"),
        ("gone", TelegramForbiddenError, "user is deactivated"),
        ("bad_content", TelegramBadRequest, "can't parse entities"),
        ("bad_account", TelegramUnauthorizedError, "Unauthorized"),
        ("answer_lost", TelegramNetworkError, "disconnected"),
    ],
)
async def test_a_fault_is_aiograms_own_exception(
    bot: Bot, platform: Platform, person: int, fault: str, exception: type[Exception], words: str
) -> None:
    platform.fail_next(fault, retry_after=3)

    with pytest.raises(exception, match=words) as caught:
        await bot.send_message(person, "hi")

    if isinstance(caught.value, TelegramRetryAfter):
        assert caught.value.retry_after == 3
    taken = fault == "answer_lost"
    assert len(platform.phone(str(person))) == (1 if taken else 0)
    assert (platform.log.since(0)[-1]["outcome"] == "taken") is taken


async def test_a_slow_platform_takes_what_the_client_gave_up(
    bot: Bot, platform: Platform, person: int
) -> None:
    platform.fail_next("slow", seconds=30)

    with pytest.raises(TelegramNetworkError, match="timeout"):
        await bot(SendMessage(chat_id=person, text="late"), request_timeout=1)
    assert platform.phone(str(person)) == []
    platform.clock.advance(30)
    async with asyncio.timeout(5):
        while not platform.log.last_seq:
            await asyncio.sleep(0)

    assert [message["text"] for message in platform.phone(str(person))] == ["late"]


@pytest.mark.parametrize(
    ("address", "exception", "words"),
    [
        (404, TelegramBadRequest, "chat not found"),
        ("@nobody_here", TelegramBadRequest, "chat not found"),
        (OWN_BOT, TelegramForbiddenError, "bot can't send messages to bots"),
    ],
)
async def test_an_address_nobody_has(
    bot: Bot, address: int | str, exception: type[Exception], words: str
) -> None:
    await bot.get_me()

    with pytest.raises(exception, match=words):
        await bot.send_message(address, "hi")


async def test_who_never_wrote_blocked_or_left(bot: Bot, platform: Platform) -> None:
    (stranger,) = platform.make_people(ACCOUNT, opened=False)
    blocker, leaver = platform.person(), platform.person()
    platform.block(ACCOUNT, blocker, blocked=True)
    platform.deactivate(leaver)

    with pytest.raises(TelegramForbiddenError, match="can't initiate conversation with a user"):
        await bot.send_message(stranger, "hi")
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.send_message(blocker, "hi")
    with pytest.raises(TelegramForbiddenError, match="user is deactivated"):
        await bot.send_message(leaver, "hi")


async def test_wrong_tokens_and_methods(listener: Listener) -> None:
    server = TelegramAPIServer.from_base(f"{listener.base_url}/telegram")

    class NoSuchMethod(GetMe):
        __api_method__ = "getNothing"

    async with Bot("012:wrong", session=AiohttpSession(api=server)) as wrong:
        with pytest.raises(TelegramUnauthorizedError):
            await wrong.get_me()
    async with Bot(OWN_TOKEN, session=AiohttpSession(api=server)) as right:
        with pytest.raises(TelegramNotFound):
            await right(NoSuchMethod())


async def test_updates_by_polling(bot: Bot, platform: Platform) -> None:
    (address,) = platform.make_people(ACCOUNT, language="it", start="promo_1")
    await bot.send_message(address, "Hello", reply_markup=KEYBOARD)
    platform.tap(ACCOUNT, address, "Stop")
    platform.block(ACCOUNT, address, blocked=True)
    platform.block(ACCOUNT, address, blocked=False)

    updates = await bot.get_updates(timeout=5)

    assert [update.event_type for update in updates] == [
        "message",
        "callback_query",
        "my_chat_member",
        "my_chat_member",
    ]
    start, tap, kicked, member = updates
    assert start.message is not None
    assert start.message.text == "/start promo_1"
    assert start.message.entities is not None
    assert (start.message.entities[0].type, start.message.entities[0].length) == ("bot_command", 6)
    assert start.message.from_user is not None
    assert start.message.from_user.language_code == "it"
    assert tap.callback_query is not None
    assert tap.callback_query.data == "u:stop"
    assert kicked.my_chat_member is not None
    assert kicked.my_chat_member.new_chat_member.status == "kicked"
    assert member.my_chat_member is not None
    assert member.my_chat_member.new_chat_member.status == "member"
    assert await tap.callback_query.answer("Fatto").as_(bot)
    assert await bot.get_updates(offset=updates[-1].update_id + 1) == []


async def test_a_tap_is_answered_once_and_in_time(bot: Bot, platform: Platform) -> None:
    address = platform.person()
    await bot.send_message(address, "Hello", reply_markup=KEYBOARD)
    platform.tap(ACCOUNT, address, "u:stop")
    (update,) = await bot.get_updates()
    assert update.callback_query is not None
    platform.clock.advance(151)

    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await bot.answer_callback_query(update.callback_query.id)


async def test_one_receiver_at_a_time(bot: Bot, platform: Platform) -> None:
    waiting = asyncio.ensure_future(bot.get_updates(timeout=30, request_timeout=40))
    while OWN_BOT not in platform.polling._waiting:
        await asyncio.sleep(0)

    second = await bot.get_updates(timeout=0)

    assert second == []
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates request"):
        await waiting
    await bot.set_webhook("http://127.0.0.1:9/hook")
    with pytest.raises(TelegramConflictError, match="while webhook is active"):
        await bot.get_updates()


async def test_updates_by_webhook_through_aiograms_own_handler(
    bot: Bot, platform: Platform
) -> None:
    arrived: asyncio.Queue[str | None] = asyncio.Queue()
    dispatcher = Dispatcher()

    @dispatcher.message()
    async def heard(message: Message) -> None:
        arrived.put_nowait(message.text)

    application = web.Application()
    handler = SimpleRequestHandler(dispatcher, bot, secret_token="s-1", handle_in_background=False)
    handler.register(application, path="/in")
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    await bot.set_webhook(f"http://127.0.0.1:{port}/in", secret_token="s-1", max_connections=5)

    platform.say(ACCOUNT, "777", "STOP")

    async with asyncio.timeout(5):
        assert await arrived.get() == "STOP"
    info = await bot.get_webhook_info()
    assert info.max_connections == 5
    assert info.last_error_message is None
    await runner.cleanup()


async def test_every_update_is_one_aiogram_understands(platform: Platform) -> None:
    bot = platform.bot(OWN_BOT)
    address = platform.make_people(ACCOUNT, start="")[0]
    platform.block(ACCOUNT, address, blocked=True)

    parsed = [Update.model_validate_json(update.body) for update in bot.updates.values()]

    assert [update.event_type for update in parsed] == ["message", "my_chat_member"]


async def test_a_mixed_album_is_refused(bot: Bot, person: int) -> None:
    with pytest.raises(TelegramBadRequest, match="document can't be mixed"):
        await bot.send_media_group(
            person,
            [InputMediaPhoto(media=upload()), InputMediaDocument(media=upload("b.jpg"))],
        )
