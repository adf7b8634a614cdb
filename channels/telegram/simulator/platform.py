"""Telegram, simulated: bots, people, and what the control side may ask of them."""

from dataclasses import fields, replace
from typing import Any

from starlette.types import ASGIApp

from channels.base.simulator.clock import TurnableClock
from channels.base.simulator.log import CallLog
from channels.base.simulator.platform import ControlProblem
from channels.base.simulator.requests import Upload
from channels.telegram.simulator import doings, phone
from channels.telegram.simulator.limits import Limits, Meter
from channels.telegram.simulator.network import Network
from channels.telegram.simulator.server import BotApi
from channels.telegram.simulator.state import FIRST_NAMES, Bot, Chat, Person

MOST_PEOPLE = 1_000_000
OWN_BOT = 7_000_001
OWN_TOKEN = f"{OWN_BOT}:AAE-sandbox_token_for_everybody_xyz"
_LIMIT_TYPES = {f.name: f.type for f in fields(Limits)}


class Platform(Network):
    """The whole of Telegram that a bot can see."""

    name = "telegram"
    title = "Telegram"
    prefix = "/telegram/"

    def __init__(self, *, log: CallLog | None = None, clock: TurnableClock | None = None) -> None:
        """Begin with nobody on the platform."""
        super().__init__(log=log, clock=clock)
        self._app = BotApi(self)

    def app(self) -> ASGIApp:
        """Return the Bot API as an ASGI application."""
        return self._app

    def credentials(self, base_url: str) -> dict[str, str]:
        """Return a token and the base under which `/bot<token>/<method>` answers."""
        return {"token": OWN_TOKEN, "api_base": f"{base_url.rstrip('/')}/telegram"}

    def person(self) -> str:
        """Make a person who has opened the chat with the bot of `credentials`."""
        (address,) = self.make_people(str(OWN_BOT), count=1)
        return address

    async def close(self) -> None:
        """Stop the webhooks."""
        self.gate.open_wide()
        await self.webhooks.close()

    def reset(self) -> None:
        """Forget everybody and everything."""
        self.gate.open_wide()
        self.faults.clear()
        for bot in self.bots.values():
            self.webhooks.remove(bot)
            self.polling.end(bot, "terminated by a reset of the sandbox")
        self.bots.clear()
        self.people.clear()
        self.blobs.clear()
        self.contents.clear()
        self.lively.clear()
        self.limits = Limits()

    # Accounts

    def account(self, account: str) -> Bot:
        """Return the bot that the control side names."""
        if not account.isascii() or not account.isdigit() or account.startswith("0"):
            raise ControlProblem(
                422, "bad_account", "An account of Telegram is a bot's id, in digits."
            )
        return self.bot(int(account))

    def set_limits(self, account: str | None, limits: dict[str, Any]) -> dict[str, Any]:
        """Change limits of one bot, or of all and of those to come; return them as they are now."""
        unknown = set(limits) - set(_LIMIT_TYPES)
        if unknown:
            known = ", ".join(sorted(_LIMIT_TYPES))
            raise ControlProblem(
                422, "unknown_limit", f"No such limit: {sorted(unknown)}; known: {known}."
            )
        changed: dict[str, Any] = {}
        for name, value in limits.items():
            flag = isinstance(getattr(self.limits, name), bool)
            if isinstance(value, bool) != flag or not isinstance(value, int | float) or value < 0:
                kind = "true or false" if flag else "a number of at least 0"
                raise ControlProblem(422, "bad_limit", f"{name} is {kind}.")
            changed[name] = type(getattr(self.limits, name))(value)
        if account is not None:
            bot = self.account(account)
            bots, now = [bot], replace(bot.limits, **changed)
        else:
            bots, now = list(self.bots.values()), replace(self.limits, **changed)
            self.limits = now
        for bot in bots:
            bot.limits = replace(bot.limits, **changed)
            bot.meter = Meter()
        return {name: getattr(now, name) for name in _LIMIT_TYPES}

    # People

    def make_people(
        self,
        account: str,
        *,
        count: int = 1,
        address: str | None = None,
        language: str | None = None,
        opened: bool = True,
        start: str | None = None,
        name: str | None = None,
    ) -> list[str]:
        """Make people (or a group, by a negative address) whom the bot may write to.

        With `start` they press START, and the bot is told: an empty one has no payload.
        """
        bot = self.account(account)
        if address is not None:
            chats = [self._chat_at(bot, address, language, name)]
        else:
            if not 1 <= count <= MOST_PEOPLE - len(self.people):
                raise ControlProblem(422, "bad_count", f"There can be 1 to {MOST_PEOPLE} people.")
            chats = [doings.open_chat(bot, self._new_person(language)) for _ in range(count)]
        for chat in chats:
            chat.opened = chat.opened or opened
            if start is not None and chat.person is not None:
                doings.say(self, bot, chat, f"/start {start}".strip())
        return [str(chat.id) for chat in chats]

    def _new_person(self, language: str | None, person_id: int | None = None) -> Person:
        if person_id is None:
            while self.next_person in self.people:
                self.next_person += 1
            person_id = self.next_person
            self.next_person += 1
        name = FIRST_NAMES[person_id % len(FIRST_NAMES)]
        person = self.people[person_id] = Person(person_id, name, language=language or "en")
        return person

    def _chat_at(self, bot: Bot, address: str, language: str | None, name: str | None) -> Chat:
        if address.startswith("@") or address.startswith("-"):
            return _group(bot, address, name)
        if not address.isascii() or not address.isdigit() or not 0 < int(address) < 2**52:
            raise ControlProblem(422, "bad_address", "A person's address is a positive number.")
        person = self.people.get(int(address)) or self._new_person(language, int(address))
        if language is not None:
            person.language = language
        if name is not None:
            person.first_name = name
        return doings.open_chat(bot, person)

    def _known(self, account: str, address: str) -> tuple[Bot, Chat]:
        bot = self.account(account)
        if address.isascii() and address.isdigit() and int(address) in self.people:
            return bot, doings.open_chat(bot, self.people[int(address)])
        for chat in bot.chats.values():
            if address in (str(chat.id), f"@{chat.username}"):
                return bot, chat
        raise ControlProblem(404, "no_such_person", "Nobody has this address: make people first.")

    # What people do

    def say(self, account: str, address: str, text: str) -> int | None:
        """Let a person write; somebody unknown appears and opens the chat."""
        bot = self.account(account)
        if not text or len(text) > 4096:
            raise ControlProblem(422, "bad_text", "A message has 1 to 4096 characters.")
        chat = self._chat_at(bot, address, None, None)
        if chat.person is None:
            raise ControlProblem(
                409, "no_person", "Only people write; this is a group or a channel."
            )
        return doings.say(self, bot, chat, text)

    async def send_photo(
        self, account: str, address: str, photo: Upload, caption: str
    ) -> int | None:
        """Let a person send a picture."""
        bot, chat = self._known(account, address)
        return await doings.send_photo(self, bot, chat, photo, caption)

    def tap(
        self, account: str, address: str, button: str, message_id: str | None = None
    ) -> dict[str, Any]:
        """Let a person tap a button."""
        bot, chat = self._known(account, address)
        number = int(message_id) if message_id and message_id.isdigit() else None
        return doings.tap(self, bot, chat, button, number)

    def block(self, account: str, address: str, *, blocked: bool) -> int | None:
        """Let a person block the bot, or unblock it."""
        bot, chat = self._known(account, address)
        return doings.block(self, bot, chat, blocked=blocked)

    def deactivate(self, address: str) -> None:
        """Let a person leave the platform for good; nobody is told."""
        person = self.people.get(int(address)) if address.isdigit() else None
        if person is None:
            raise ControlProblem(
                404, "no_such_person", "Nobody has this address: make people first."
            )
        person.deactivated = True
        for bot, _ in self.chats_of(address, None):
            self.show_change(str(bot.id), address)

    # Phones

    def phone(self, address: str, account: str | None = None) -> list[dict[str, Any]]:
        """Return what this person's phone shows, oldest first, from one bot or from all."""
        messages = [
            message
            for bot, chat in self.chats_of(address, account)
            for message in phone.messages_of(bot, chat)
        ]
        return sorted(messages, key=lambda message: message["at"])

    def phone_facts(self, address: str, account: str | None = None) -> dict[str, Any]:
        """Return what else a phone says: whose it is, who is blocked, how much came."""
        chats = self.chats_of(address, account)
        if not chats:
            raise ControlProblem(
                404, "no_such_person", "Nobody has this address: make people first."
            )
        person = chats[0][1].person
        return {
            "name": person.first_name if person else chats[0][1].title,
            "language": person.language if person else None,
            "deactivated": bool(person and person.deactivated),
            "received": sum(chat.count for _, chat in chats),
            "chats": [
                {
                    "account": str(bot.id),
                    "title": bot.as_user()["first_name"],
                    "opened": chat.opened,
                    "blocked": chat.blocked,
                    "received": chat.count,
                    "notice": bot.notices.get(chat.id) or None,
                }
                for bot, chat in chats
            ],
        }

    def phones(self, search: str, limit: int) -> list[dict[str, Any]]:
        """Return phones whose name or address has `search` in it, the liveliest first."""
        found: dict[tuple[str, str], str] = {}
        wanted = search.lower()
        for account, address in reversed(self.lively):
            self._choose(found, self.account(account), address, wanted)
        for bot in self.bots.values():
            for chat_id in bot.chats:
                if len(found) >= limit:
                    break
                self._choose(found, bot, str(chat_id), wanted)
        return [
            {"account": account, "address": address, "name": name}
            for (account, address), name in list(found.items())[:limit]
        ]

    def _choose(
        self, found: dict[tuple[str, str], str], bot: Bot, address: str, wanted: str
    ) -> None:
        chat = bot.chats.get(int(address))
        if chat is None:
            return
        name = chat.person.first_name if chat.person else chat.title or ""
        if wanted in address or wanted in name.lower():
            found.setdefault((str(bot.id), address), name)

    def media(self, key: str) -> tuple[bytes, str] | None:
        """Return what was uploaded, by its SHA-256."""
        return self.blobs.get(key)

    def chats_of(self, address: str, account: str | None) -> list[tuple[Bot, Chat]]:
        """Return the chats of one person, group or channel."""
        bots = list(self.bots.values()) if account is None else [self.account(account)]
        if address.startswith("@"):
            found = ((b, c) for b in bots for c in b.chats.values() if c.username == address[1:])
            return list(found)
        try:
            chat_id = int(address)
        except ValueError:
            return []
        return [(bot, bot.chats[chat_id]) for bot in bots if chat_id in bot.chats]


def _group(bot: Bot, address: str, name: str | None) -> Chat:
    """Return a group (a negative id) or a channel (an @name) that the bot is a member of."""
    if address.startswith("@"):
        number = sum(ord(letter) * 31**place for place, letter in enumerate(address)) % 10**10
        chat_id, kind, username = -1_000_000_000_000 - number, "channel", address[1:]
    else:
        try:
            chat_id, kind, username = int(address), "supergroup", None
        except ValueError as error:
            raise ControlProblem(
                422, "bad_address", "A group's address is a negative number."
            ) from error
    chat = bot.chats.get(chat_id)
    if chat is None:
        title = name or (username or f"Group {-chat_id % 1000}")
        chat = bot.chats[chat_id] = Chat(
            chat_id, kind=kind, title=title, username=username, opened=True
        )
    return chat
