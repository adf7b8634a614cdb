"""The methods about the bot itself: who it is, where its updates go, its files and its chats."""

import re
from typing import Any
from urllib.parse import urlsplit

import orjson

from channels.telegram.simulator.call import Call
from channels.telegram.simulator.errors import bad_request, throttled
from channels.telegram.simulator.files import DOWNLOAD_BYTES, find
from channels.telegram.simulator.network import Network
from channels.telegram.simulator.sending import find_chat
from channels.telegram.simulator.state import Webhook

SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
CONNECTIONS = 40
MOST_CONNECTIONS = 100
MOST_NAME = 64


async def get_me(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `getMe`."""
    return orjson.dumps(
        call.bot.as_user()
        | {
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
        }
    )


async def set_webhook(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `setWebhook`: once a second, and an empty URL deletes it."""
    url = call.text("url").strip()
    if not url:
        return await delete_webhook(network, call, digest)
    now = network.clock.ticks()
    if now < call.bot.webhook_set_at + 1:
        raise throttled(1)
    call.bot.webhook_set_at = now
    _check_url(url, https_only=call.bot.limits.https_only)
    secret = call.text("secret_token")
    if secret and not SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    connections = call.integer("max_connections") or CONNECTIONS
    certificate = call.files.get("certificate")
    webhook = Webhook(
        url=url,
        secret=secret or None,
        max_connections=min(max(1, connections), MOST_CONNECTIONS),
        certificate=certificate.data.decode("ascii", "replace") if certificate else None,
    )
    _set_allowed_updates(call)
    if call.flag("drop_pending_updates"):
        call.bot.updates.clear()
    network.polling.end(call.bot, "terminated by setWebhook request")
    network.webhooks.set(call.bot, webhook)
    return b"true"


def _check_url(url: str, *, https_only: bool) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise bad_request("bad webhook: invalid webhook URL specified") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise bad_request("bad webhook: invalid webhook URL specified")
    if https_only and parts.scheme != "https":
        raise bad_request("bad webhook: HTTPS URL must be provided for webhook")
    if https_only and port not in (443, 80, 88, 8443):
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")


def _set_allowed_updates(call: Call) -> None:
    """Take the list if there is one; without it the former one stays."""
    allowed = call.structure("allowed_updates")
    if allowed is None:
        return
    if not isinstance(allowed, list) or not all(isinstance(kind, str) for kind in allowed):
        raise bad_request("can't parse allowed updates: expected an Array of String")
    call.bot.allowed_updates = tuple(allowed)


async def delete_webhook(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `deleteWebhook`."""
    network.webhooks.remove(call.bot)
    if call.flag("drop_pending_updates"):
        call.bot.updates.clear()
    return b"true"


async def get_webhook_info(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `getWebhookInfo`."""
    bot = call.bot
    info: dict[str, Any] = {"url": "", "has_custom_certificate": False}
    info["pending_update_count"] = len(bot.updates)
    if bot.webhook is not None:
        info["url"] = bot.webhook.url
        info["has_custom_certificate"] = bot.webhook.certificate is not None
        info["max_connections"] = bot.webhook.max_connections
        info |= network.webhooks.troubles(bot)
    if bot.allowed_updates:
        info["allowed_updates"] = list(bot.allowed_updates)
    return orjson.dumps(info)


async def get_updates(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `getUpdates`."""
    _set_allowed_updates(call)
    updates = await network.polling.wait(
        call.bot,
        offset=call.integer("offset") or 0,
        limit=call.integer("limit") or 100,
        patience=call.integer("timeout") or 0,
    )
    return b"[" + b",".join(update.body for update in updates) + b"]"


async def get_file(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `getFile`: the path to download up to 20 MB from."""
    file_id = call.text("file_id")
    stored = find(call.bot, file_id)
    if stored is None:
        raise bad_request("invalid file_id" if file_id else "file_id not specified")
    if stored.size > DOWNLOAD_BYTES:
        raise bad_request("file is too big")
    ending = stored.mime.rpartition("/")[2].replace("jpeg", "jpg")
    return orjson.dumps(
        {
            "file_id": file_id,
            "file_unique_id": "AQAD" + stored.blob[:15],
            "file_size": stored.size,
            "file_path": f"{stored.kind}s/{stored.blob}.{ending}",
        }
    )


async def get_chat(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `getChat`: a ChatFullInfo."""
    chat = find_chat(network, call)
    gifts = dict.fromkeys(
        (
            "unlimited_gifts",
            "limited_gifts",
            "unique_gifts",
            "premium_subscription",
            "gifts_from_channels",
        ),
        False,
    )
    full = chat.as_chat() | {
        "accent_color_id": chat.id % 7 if chat.id > 0 else 0,
        "max_reaction_count": 11,
        "accepted_gift_types": gifts,
    }
    if chat.username:
        full["active_usernames"] = [chat.username]
    return orjson.dumps(full)


async def get_chat_member(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `getChatMember` for the person of a private chat or for the bot itself."""
    chat = find_chat(network, call)
    user_id = call.integer("user_id")
    if user_id == call.bot.id:
        status = "kicked" if chat.blocked else "member"
        member: dict[str, Any] = {"user": call.bot.as_user(), "status": status}
        if chat.blocked:
            member["until_date"] = 0
        return orjson.dumps(member)
    person = network.people.get(user_id or 0)
    if person is None or (chat.person is not None and chat.person is not person):
        raise bad_request("PARTICIPANT_ID_INVALID")
    return orjson.dumps({"user": person.as_user(), "status": "member"})


async def set_my_commands(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `setMyCommands`."""
    commands = call.structure("commands")
    if not isinstance(commands, list):
        raise bad_request("can't parse BotCommands: expected an Array of BotCommand")
    for command in commands:
        name = command.get("command", "") if isinstance(command, dict) else ""
        if not re.fullmatch(r"/?[a-z0-9_]{1,32}", name):
            raise bad_request("BOT_COMMAND_INVALID")
    call.bot.commands = commands
    return b"true"


async def get_my_commands(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `getMyCommands`."""
    return orjson.dumps(call.bot.commands)


async def set_my_name(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `setMyName`; an empty name takes the given one away."""
    name = call.text("name").strip()
    if len(name) > MOST_NAME:
        raise bad_request("BOT_TITLE_INVALID")
    call.bot.rename(name)
    return b"true"


async def get_my_name(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `getMyName`."""
    return orjson.dumps({"name": call.bot.name})


async def close(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `close` and `logOut`: the bot's updates stop."""
    network.webhooks.remove(call.bot)
    return b"true"
