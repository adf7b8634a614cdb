"""One receiver of the sandbox: what it believes, what it answers, what it shows."""

import hashlib
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import Scope

from channels.base.simulator.faults import Fault
from channels.base.simulator.requests import header
from channels.webhook.simulator.signature import key_of, signed

KEPT_REQUESTS = 1000
KEPT_MESSAGES = 50
KEPT_IDS = 200_000
_FAULTS: dict[str, tuple[int, str]] = {
    "rate_limited": (429, "rate_limited"),
    "down": (503, "down"),
    "blocked": (403, "opted_out"),
    "gone": (404, "unreachable"),
    "bad_content": (422, "bad_content"),
    "bad_account": (401, "not_authorised"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a receiver decided about one request."""

    status: int
    code: str
    taken: bool = False

    @property
    def outcome(self) -> str:
        """Return it as the log has it."""
        return self.code if self.status < 300 else f"{self.status} {self.code}"


@dataclass(slots=True, eq=False)
class Hook:
    """One receiver: a brand's own system, or whatever gets its callbacks."""

    name: str
    key: bytes | None = None
    """Of the secret; without one every request is believed."""
    status: int = 200
    retry_after: int | None = None
    requests: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))
    received: int = 0
    taken_ids: OrderedDict[str, None] = field(default_factory=OrderedDict)
    people: dict[str, str] = field(default_factory=dict)
    """Name by address."""
    blocked: set[str] = field(default_factory=set)
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    inbound_url: str | None = None
    """Where Permesso wants to hear what people say; it tells when it connects."""
    inbound_key: bytes | None = None

    def decide(
        self, scope: Scope, body: bytes, document: dict[str, Any], fault: Fault | None, *, at: float
    ) -> Verdict:
        """Decide about one request, and note it."""
        webhook_id = header(scope, b"webhook-id").decode("latin-1")
        verified = None if self.key is None else signed(scope, body, self.key)
        repeat = webhook_id in self.taken_ids
        if verified is False:
            verdict = Verdict(401, "wrong_signature")
        elif fault is not None and fault.kind in _FAULTS:
            verdict = Verdict(*_FAULTS[fault.kind])
        elif document.get("address") in self.blocked:
            verdict = Verdict(403, "opted_out")
        elif self.status >= 300:
            verdict = Verdict(self.status, "as_told")
        else:
            verdict = Verdict(self.status, "repeat" if repeat else "taken", taken=not repeat)
        self.received += 1
        self.requests.append(
            {
                "at": at,
                "method": scope["method"],
                "headers": {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
                "body": document or body.decode("utf-8", "replace"),
                "webhook_id": webhook_id or None,
                "verified": verified,
                "repeat": repeat,
                "answered": verdict.status,
            }
        )
        if verdict.taken and webhook_id:
            self.taken_ids[webhook_id] = None
            if len(self.taken_ids) > KEPT_IDS:
                self.taken_ids.popitem(last=False)
        return verdict

    def connect(self, document: dict[str, Any]) -> None:
        """Remember where Permesso wants to hear what people say, if this document tells it."""
        if document.get("type") != "connected":
            return
        url, secret = document.get("webhook_url"), document.get("secret")
        if isinstance(url, str) and isinstance(secret, str):
            self.inbound_url = url
            self.inbound_key = key_of(secret)

    def show(self, address: str, message: dict[str, Any]) -> None:
        """Show a message to a person, and forget the oldest of too many."""
        messages = self.messages.setdefault(address, [])
        messages.append(message)
        del messages[:-KEPT_MESSAGES]

    def hide(self, address: str, message_id: object) -> None:
        """Show a message no more: its story is over."""
        shown = self.messages.get(address, [])
        shown[:] = [m for m in shown if m.get("document", {}).get("message_id") != message_id]


def seen_message(
    hook: Hook, webhook_id: str, document: dict[str, Any], at: float
) -> dict[str, Any]:
    """Return a document as a person would see it."""
    seen = empty_message(str(document.get("type")), hook, by="brand", at=at) | {
        "document": document
    }
    seen["id"] = webhook_id or seen["id"]
    story = document.get("story") or {}
    frames = story.get("frames") or []
    words = [document.get("text"), story.get("title"), *(frame.get("text") for frame in frames)]
    seen["text"] = "\n".join(word for word in words if word)
    buttons = [frame["button"] for frame in frames if frame.get("button")]
    seen["buttons"] = [[{"text": button["label"], "url": button["url"]}] for button in buttons]
    return seen


def empty_message(kind: str, hook: Hook, *, by: str, at: float) -> dict[str, Any]:
    """Return a message of a phone with nothing in it."""
    return {
        "id": secrets.token_hex(8),
        "account": hook.name,
        "by": by,
        "at": at,
        "kind": kind,
        "text": "",
        "entities": [],
        "media": [],
        "buttons": [],
        "album": None,
        "edited": False,
        "protected": False,
    }


def read_document(body: bytes) -> dict[str, Any]:
    """Return the object in a body; empty when there is none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def digest(document: dict[str, Any], body: bytes) -> bytes:
    """Return SHA-256 over what is said, without whom to and under which id."""
    if not document:
        return hashlib.sha256(body).digest()
    said = {key: value for key, value in document.items() if key not in ("address", "message_id")}
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()
