"""Unmodified python-telegram-bot against the simulated Telegram."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from PIL import Image
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputMediaPhoto, Update
from telegram.error import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TimedOut,
)
from telegram.ext import (
    ApplicationBuilder,
    CallbackQueryHandler,
    ChatMemberHandler,
    CommandHandler,
    ContextTypes,
)

from channels.base.simulator import Listener, serving
from channels.telegram.simulator import OWN_BOT, OWN_TOKEN, Platform

ACCOUNT = str(OWN_BOT)
KEYBOARD = InlineKeyboardMarkup([[InlineKeyboardButton("Stop", callback_data="u:stop")]])


@pytest.fixture(autouse=True)
def timedeltas(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library warns of its own future unless it is told that we live there."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


def picture(colour: str = "teal") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (320, 568), colour).save(buffer, "PNG")
    return buffer.getvalue()


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


def urls(listener: Listener) -> dict[str, str]:
    base = f"{listener.base_url}/telegram"
    return {"base_url": f"{base}/bot", "base_file_url": f"{base}/file/bot"}


@pytest.fixture
async def bot(listener: Listener) -> AsyncIterator[Bot]:
    async with Bot(OWN_TOKEN, **urls(listener)) as bot:
        yield bot


@pytest.fixture
def person(platform: Platform) -> int:
    return int(platform.person())


async def test_each_kind_is_sent_and_shown(bot: Bot, platform: Platform, person: int) -> None:
    text = await bot.send_message(
        person, "*Ciao* __tu__", parse_mode="MarkdownV2", reply_markup=KEYBOARD
    )
    photo = await bot.send_photo(person, picture(), caption="one")
    video = await bot.send_video(person, b"film", width=9, height=16, duration=3, filename="v.mp4")
    document = await bot.send_document(person, b"%PDF", filename="menu.pdf")
    album = await bot.send_media_group(
        person, [InputMediaPhoto(picture("red"), caption="two"), InputMediaPhoto(photo.photo[-1])]
    )

    assert [(e.type, e.offset, e.length) for e in text.entities] == [
        ("bold", 0, 4),
        ("underline", 5, 2),
    ]
    assert photo.caption == "one"
    assert video.video is not None
    assert video.video.duration == timedelta(seconds=3)
    assert document.document is not None
    assert document.document.file_name == "menu.pdf"
    assert len({message.media_group_id for message in album}) == 1
    kinds = [message["kind"] for message in platform.phone(str(person))]
    assert kinds == ["text", "photo", "video", "document", "photo", "photo"]


async def test_a_file_comes_back(bot: Bot, person: int) -> None:
    data = picture()
    sent = await bot.send_photo(person, data)

    file = await sent.photo[-1].get_file()

    assert bytes(await file.download_as_bytearray()) == data


async def test_edit_copy_delete(bot: Bot, platform: Platform, person: int) -> None:
    sent = await bot.send_message(person, "one", reply_markup=KEYBOARD)

    await sent.edit_text("two")
    await sent.copy(person)
    await sent.delete()

    assert [message["text"] for message in platform.phone(str(person))] == ["two"]
    assert (await bot.get_me()).id == OWN_BOT
    assert (await bot.get_chat(person)).id == person


@pytest.mark.parametrize(
    ("fault", "exception"),
    [
        ("rate_limited", RetryAfter),
        ("down", NetworkError),
        ("blocked", Forbidden),
        ("gone", Forbidden),
        ("bad_content", BadRequest),
        ("bad_account", InvalidToken),
        ("answer_lost", NetworkError),
    ],
)
async def test_a_fault_is_its_own_exception(
    bot: Bot, platform: Platform, person: int, fault: str, exception: type[Exception]
) -> None:
    platform.fail_next(fault, retry_after=4)

    with pytest.raises(exception) as caught:
        await bot.send_message(person, "hi")

    if isinstance(caught.value, RetryAfter):
        assert caught.value.retry_after == timedelta(seconds=4)
    assert len(platform.phone(str(person))) == (1 if fault == "answer_lost" else 0)


async def test_a_slow_platform_times_out(bot: Bot, platform: Platform, person: int) -> None:
    platform.fail_next("slow", seconds=30)

    with pytest.raises(TimedOut):
        await bot.send_message(person, "hi", read_timeout=0.5)


async def test_an_application_that_polls(listener: Listener, platform: Platform) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message is not None
        heard.put_nowait(f"start {' '.join(context.args or [])}")
        await update.message.reply_text("Benvenuta", reply_markup=KEYBOARD)
        heard.put_nowait("replied")

    async def tapped(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.callback_query is not None
        heard.put_nowait(f"tap {update.callback_query.data}")
        await update.callback_query.answer("Fatto")

    async def member(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.my_chat_member is not None
        heard.put_nowait(update.my_chat_member.new_chat_member.status)

    builder = ApplicationBuilder().token(OWN_TOKEN)
    application = (
        builder.base_url(urls(listener)["base_url"])
        .base_file_url(urls(listener)["base_file_url"])
        .build()
    )
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CallbackQueryHandler(tapped))
    application.add_handler(ChatMemberHandler(member))
    async with application, asyncio.timeout(20):
        assert application.updater is not None
        await application.start()
        await application.updater.start_polling(timeout=1)
        (address,) = platform.make_people(ACCOUNT, start="promo")
        assert [await heard.get(), await heard.get()] == ["start promo", "replied"]
        platform.tap(ACCOUNT, address, "Stop")
        assert await heard.get() == "tap u:stop"
        platform.block(ACCOUNT, address, blocked=True)
        assert await heard.get() == "kicked"
        await application.updater.stop()
        await application.stop()

    assert platform.phone_facts(address)["chats"][0]["notice"] == "Fatto"


async def test_two_receivers_conflict(bot: Bot, platform: Platform) -> None:
    await bot.set_webhook("http://127.0.0.1:9/in", secret_token="s")

    with pytest.raises(Conflict, match="webhook is active"):
        await bot.get_updates()
    info = await bot.get_webhook_info()
    assert info.url == "http://127.0.0.1:9/in"
