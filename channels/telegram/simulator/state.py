"""What the platform knows: people, bots, their chats, and what was said in them.

A hundred thousand people must fit, so a chat is small until something is said in it, and what is
said is kept as the bytes of the answer that told the bot about it. A campaign's messages say the
same, and share those bytes.
"""

import re
import secrets
from dataclasses import dataclass, field
from typing import Any

import orjson

from channels.telegram.simulator.errors import invalid_token
from channels.telegram.simulator.limits import Limits, Meter

SHOWN = 50
"""How many messages a phone keeps of one chat; the count goes on."""
TOKEN = re.compile(r"(\d{1,16}):[A-Za-z0-9_-]{1,70}")
FIRST_NAMES = (
    "Giulia", "Luca", "Sofia", "Marco", "Chiara", "Matteo", "Aurora", "Davide", "Elena", "Paolo",
    "Marta", "Andrea", "Anna", "Pietro", "Irene", "Tommaso", "Nadia", "Filippo", "Bianca", "Enrico",
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Person:
    """Somebody with a phone."""

    id: int
    first_name: str
    language: str | None = None
    username: str | None = None
    deactivated: bool = False

    def as_user(self) -> dict[str, Any]:
        """Return the Bot API's User."""
        user: dict[str, Any] = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        if self.username:
            user["username"] = self.username
        if self.language:
            user["language_code"] = self.language
        return user

    def as_chat(self) -> dict[str, Any]:
        """Return the Bot API's Chat of this person's private chat."""
        chat: dict[str, Any] = {"id": self.id, "first_name": self.first_name, "type": "private"}
        if self.username:
            chat["username"] = self.username
        return chat


@dataclass(slots=True, eq=False)
class Shown:
    """One message in a chat."""

    id: int
    date: int
    content: bytes
    """The Message's JSON but for its frame: no braces, no id, sender, chat and date."""
    by_person: bool = False
    album: str | None = None
    edited_at: int | None = None
    at_ms: int = 0
    """When it was taken, for the phone's own clock."""

    def parsed(self) -> dict[str, Any]:
        """Return the content as a value of one's own."""
        value: dict[str, Any] = orjson.loads(b"{" + self.content + b"}")
        return value


@dataclass(slots=True, eq=False)
class Chat:
    """One bot's chat with a person, a group or a channel."""

    id: int
    kind: str = "private"
    person: Person | None = None
    title: str | None = None
    username: str | None = None
    opened: bool = False
    """The person wrote at least once; before that a bot cannot."""
    blocked: bool = False
    count: int = 0
    """How many messages the bot sent here in all."""
    shown: list[Shown] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)

    @property
    def is_group(self) -> bool:
        """Whether the limits of groups apply."""
        return self.kind != "private"

    def as_chat(self) -> dict[str, Any]:
        """Return the Bot API's Chat."""
        if self.person is not None:
            return self.person.as_chat()
        chat: dict[str, Any] = {"id": self.id, "title": self.title, "type": self.kind}
        if self.username:
            chat["username"] = self.username
        return chat

    def add(self, message: Shown) -> None:
        """Show a message, and forget the oldest of too many."""
        self.shown.append(message)
        if len(self.shown) > SHOWN * 2:
            del self.shown[:-SHOWN]

    def find(self, message_id: int) -> Shown | None:
        """Return the message with this id, if it is still kept."""
        for message in reversed(self.shown):
            if message.id == message_id:
                return message
        return None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file the platform keeps, and what it found out about it."""

    kind: str
    """photo, video, animation, document, audio, voice."""
    blob: str
    """SHA-256 of the bytes, in hex."""
    size: int
    name: str
    mime: str
    width: int = 0
    height: int = 0
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a bot wants its updates."""

    url: str
    secret: str | None
    max_connections: int
    certificate: str | None = None


@dataclass(slots=True, eq=False)
class Update:
    """Something that happened, waiting until the bot knows it."""

    id: int
    kind: str
    queue: str
    """One queue has one update in flight."""
    body: bytes
    expires_at: float


@dataclass(slots=True, eq=False)
class Tap:
    """A callback query until it is answered."""

    chat: Chat
    message_id: int
    expires_at: float


@dataclass(slots=True, eq=False)
class Bot:
    """One account of the platform."""

    id: int
    limits: Limits = field(default_factory=Limits)
    meter: Meter = field(default_factory=Meter)
    chats: dict[int, Chat] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    commands: list[dict[str, Any]] = field(default_factory=list)
    taps: dict[str, Tap] = field(default_factory=dict)
    notices: dict[int, str] = field(default_factory=dict)
    """The last words of `answerCallbackQuery`, by chat."""
    updates: dict[int, Update] = field(default_factory=dict)
    """What the bot does not know yet, oldest first."""
    allowed_updates: tuple[str, ...] = ()
    """Empty: all but those one must ask for."""
    webhook: Webhook | None = None
    last_message_id: int = field(default_factory=lambda: secrets.randbelow(10_000_000))
    last_update_id: int = field(default_factory=lambda: 100_000_000 + secrets.randbelow(10**9))
    """Ids begin anywhere, as the real ones do: a new sandbox must not repeat an old one's."""
    webhook_set_at: float = float("-inf")
    upload_due: dict[int, float] = field(default_factory=dict)
    """When the next upload of a total size is due, for `upload_spacing`."""
    name: str = ""
    from_bytes: bytes = b""

    def __post_init__(self) -> None:
        """Give the bot a name until its owner does."""
        self.rename(self.name)

    def rename(self, name: str) -> None:
        """Take a name, and prepare what stands in every answer; an empty name is a number again."""
        self.name = name or f"Sandbox {self.id}"
        self.from_bytes = orjson.dumps(self.as_user())

    @property
    def username(self) -> str:
        """The bot's public name."""
        return f"sandbox_{self.id}_bot"

    def as_user(self) -> dict[str, Any]:
        """Return the Bot API's User."""
        return {
            "id": self.id,
            "is_bot": True,
            "first_name": self.name,
            "username": self.username,
        }

    def next_message_id(self) -> int:
        """Make the id of a new message: one sequence for all chats of the bot."""
        self.last_message_id += 1
        return self.last_message_id

    def next_update_id(self) -> int:
        """Make the id of a new update."""
        self.last_update_id += 1
        return self.last_update_id


def bot_id_of(token: str) -> int:
    """Return the bot's id of a token that is written as tokens are."""
    match = TOKEN.fullmatch(token)
    if match is None or match[1].startswith("0"):
        raise invalid_token()
    return int(match[1])


def message_json(bot: Bot, chat: Chat, message: Shown) -> bytes:
    """Return the Bot API's Message."""
    head = b'{"message_id":%d' % message.id
    if message.by_person and chat.person is not None:
        head += b',"from":' + orjson.dumps(chat.person.as_user())
    elif chat.kind == "channel":
        head += b',"sender_chat":' + orjson.dumps(chat.as_chat())
    else:
        head += b',"from":' + bot.from_bytes
    head += b',"chat":' + orjson.dumps(chat.as_chat()) + b',"date":%d' % message.date
    if message.edited_at is not None:
        head += b',"edit_date":%d' % message.edited_at
    if message.album is not None:
        head += b',"media_group_id":"' + message.album.encode() + b'"'
    return head + b"," + message.content + b"}"


def fragment(content: dict[str, Any]) -> bytes:
    """Return a content as JSON without its braces."""
    return orjson.dumps(content)[1:-1]
