"""The common part of every simulated platform, and what the sandbox may ask of one."""

import asyncio
from abc import ABC, abstractmethod
from collections import OrderedDict
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

from starlette.types import ASGIApp

from channels.base.simulator.clock import TurnableClock
from channels.base.simulator.faults import Fault, Faults
from channels.base.simulator.gate import Gate
from channels.base.simulator.log import CallLog
from channels.base.simulator.requests import Upload

LIVELY = 500


class ControlProblem(Exception):
    """The control side asked for what cannot be done; the text says what to do instead."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        """Carry an HTTP status, a stable code, and a sentence for people."""
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class Watcher:
    """Somebody who looks at the phones: the addresses that changed since the last look."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.changed: set[str] = set()
        self.woken = asyncio.Event()


class Simulator(ABC):
    """A platform of our own: it takes messages, shows phones, and fails when told to."""

    name: ClassVar[str]
    """The channel's name."""
    title: ClassVar[str]
    prefix: ClassVar[str]
    """The path below which it answers, as `/telegram/`."""

    def __init__(self, *, log: CallLog | None = None, clock: TurnableClock | None = None) -> None:
        """Share the log and the clock with other platforms, or have one's own."""
        self.log = CallLog() if log is None else log
        self.clock = TurnableClock() if clock is None else clock
        self.faults = Faults()
        self.gate = Gate()
        self.watchers: set[Watcher] = set()
        self.lively: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Account and address of the phones on which something happened lately, the newest last."""

    @abstractmethod
    def app(self) -> ASGIApp:
        """Return the platform's side as an ASGI application."""

    @abstractmethod
    def credentials(self, base_url: str) -> dict[str, str]:
        """Return valid credentials for this platform served at `base_url`."""

    @abstractmethod
    def person(self) -> str:
        """Make a person whom the account of `credentials` may write to; return the address."""

    @abstractmethod
    def phone(self, address: str, account: str | None = None) -> list[dict[str, Any]]:
        """Return what this person's phone shows, oldest first."""

    @abstractmethod
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
        """Make people whom this account may write to, unless not `opened`; return their addresses.

        With `start` they press START (or what the platform has for it), and the account is told.
        """

    @abstractmethod
    def say(self, account: str, address: str, text: str) -> int | None:
        """Let a person write; somebody unknown appears."""

    @abstractmethod
    async def send_photo(
        self, account: str, address: str, photo: Upload, caption: str
    ) -> int | None:
        """Let a person send a picture."""

    @abstractmethod
    def tap(
        self, account: str, address: str, button: str, message_id: str | None = None
    ) -> dict[str, Any]:
        """Let a person tap a button, named by its words or its data."""

    @abstractmethod
    def block(self, account: str, address: str, *, blocked: bool) -> int | None:
        """Let a person block the account, or let it back."""

    @abstractmethod
    def deactivate(self, address: str) -> None:
        """Let a person leave the platform for good."""

    @abstractmethod
    def phone_facts(self, address: str, account: str | None = None) -> dict[str, Any]:
        """Return what else a phone says: `name`, `received`, its `chats` and who is blocked."""

    @abstractmethod
    def phones(self, search: str, limit: int) -> list[dict[str, Any]]:
        """Return up to `limit` phones whose name or address has `search` in it, liveliest first.

        Each is `{account, address, name}`.
        """

    @abstractmethod
    def media(self, key: str) -> tuple[bytes, str] | None:
        """Return a file's bytes and MIME type."""

    @abstractmethod
    def set_limits(self, account: str | None, limits: dict[str, Any]) -> dict[str, Any]:
        """Change limits of one account, or of all; return them as they are now."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of tasks and connections."""

    @abstractmethod
    def reset(self) -> None:
        """Forget every person, message, account and fault."""

    def fail_next(
        self, *kinds: str, account: str | None = None, retry_after: int = 7, seconds: float = 2.0
    ) -> None:
        """Let the next calls fail so, in this order, one call each."""
        for kind in kinds:
            self.faults.add(
                Fault(kind, account=account, left=1, retry_after=retry_after, seconds=seconds)
            )

    def holding(self) -> AbstractAsyncContextManager[asyncio.Event]:
        """Hold every message in flight until the block ends; the event says that one has come."""
        return self.gate.holding()

    def show_change(self, account: str, address: str) -> None:
        """Remember that this phone shows something new, and tell those who look."""
        self.lively[account, address] = None
        self.lively.move_to_end((account, address))
        if len(self.lively) > LIVELY:
            self.lively.popitem(last=False)
        for watcher in self.watchers:
            watcher.changed.add(address)
            watcher.woken.set()
