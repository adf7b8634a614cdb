"""The control side: make people, let them write and tap, let things go wrong, read the log."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.base.simulator import ControlProblem, Fault, Simulator
from channels.base.simulator.requests import Upload
from sandbox.answers import Json
from sandbox.questions import (
    AddFault,
    Block,
    ConfigureHook,
    HoldGate,
    MakePeople,
    Say,
    SetLimits,
    TapButton,
    TurnClock,
)
from sandbox.world import World

MOST_ENTRIES = 100_000
MOST_PHONES = 100

Question = TypeVar("Question", bound=BaseModel)


async def _read(request: Request, kind: type[Question]) -> Question:
    return kind.model_validate_json(await request.body() or b"{}")


def _whole(request: Request, name: str, default: int, most: int) -> int:
    value = request.query_params.get(name, "")
    if not value:
        return default
    if not value.isascii() or not value.isdigit():
        raise ControlProblem(422, "bad_query", f"{name} is a whole number.")
    return min(int(value), most)


def _needed(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise ControlProblem(422, "bad_query", f"Say which {name}: ?{name}=…")
    return value


class Control:
    """The calls of the control side, for one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the paths below `/control`."""
        calls: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("POST", "people", self.make_people),
            ("POST", "say", self.say),
            ("POST", "tap", self.tap),
            ("POST", "block", self.block),
            ("GET", "phone", self.phone),
            ("GET", "phones", self.phones),
            ("POST", "faults", self.add_fault),
            ("GET", "faults", self.faults),
            ("DELETE", "faults", self.end_faults),
            ("POST", "limits", self.set_limits),
            ("POST", "time", self.turn_clock),
            ("GET", "time", self.time),
            ("POST", "gate", self.hold_gate),
            ("GET", "gate", self.gates),
            ("GET", "log", self.log),
            ("DELETE", "state", self.reset),
            ("POST", "hooks/{name}", self.configure_hook),
            ("GET", "hooks/{name}", self.hook),
        ]
        return [Route(f"/control/{path}", call, methods=[verb]) for verb, path, call in calls]

    # People

    async def make_people(self, request: Request) -> Response:
        """Make people; the answer gives their addresses."""
        asked = await _read(request, MakePeople)
        addresses = self._world.platform(asked.channel).make_people(
            asked.account,
            count=asked.count,
            address=asked.address,
            language=asked.language,
            opened=asked.opened,
            start=asked.start,
            name=asked.name,
        )
        return Json({"people": [{"address": address} for address in addresses]}, 201)

    async def say(self, request: Request) -> Response:
        """Let a person write; the webhook is on its way when this answers."""
        asked = await _read(request, Say)
        platform = self._world.platform(asked.channel)
        if asked.photo is not None:
            photo = Upload("photo.jpg", "image/jpeg", asked.photo)
            update_id = await _photo(platform, asked, photo)
        elif asked.text:
            update_id = platform.say(asked.account, asked.address, asked.text)
        else:
            raise ControlProblem(422, "bad_text", "Say something: text, or photo in base64.")
        return Json({"update_id": update_id})

    async def tap(self, request: Request) -> Response:
        """Let a person tap a button; a link answers where it leads."""
        asked = await _read(request, TapButton)
        platform = self._world.platform(asked.channel)
        return Json(platform.tap(asked.account, asked.address, asked.button, asked.message_id))

    async def block(self, request: Request) -> Response:
        """Let a person block or unblock the account, or leave the platform."""
        asked = await _read(request, Block)
        platform = self._world.platform(asked.channel)
        if asked.deactivate:
            platform.deactivate(asked.address)
            return Json({"update_id": None})
        update_id = platform.block(asked.account, asked.address, blocked=not asked.unblock)
        return Json({"update_id": update_id})

    async def phone(self, request: Request) -> Response:
        """Show what a phone shows."""
        channel, address = _needed(request, "channel"), _needed(request, "address")
        account = request.query_params.get("account")
        platform = self._world.platform(channel)
        facts = platform.phone_facts(address, account)
        messages = platform.phone(address, account)
        return Json({"channel": channel, "address": address, **facts, "messages": messages})

    async def phones(self, request: Request) -> Response:
        """List phones to look at, the liveliest first."""
        search = request.query_params.get("search", "")
        limit = _whole(request, "limit", 12, MOST_PHONES)
        wanted = request.query_params.get("channel")
        platforms = [self._world.platform(wanted)] if wanted else self._world.platforms.values()
        items = [
            {"channel": platform.name, **phone}
            for platform in platforms
            for phone in platform.phones(search, limit)
        ]
        return Json({"items": items, "next": None})

    # What goes wrong

    async def add_fault(self, request: Request) -> Response:
        """Let something go wrong from now on, or `count` times."""
        asked = await _read(request, AddFault)
        platform = self._world.platform(asked.channel)
        if asked.fault == "closed":
            self._world.close_port(asked.seconds)
            return Json({"closed_for_seconds": asked.seconds}, 201)
        try:
            fault = Fault(
                asked.fault,
                account=asked.account,
                address=asked.address,
                methods=frozenset(map(str.lower, asked.methods)) if asked.methods else None,
                rate=asked.rate,
                left=asked.count,
                retry_after=asked.retry_after,
                seconds=asked.seconds,
            )
        except ValueError as error:
            detail = f"{error}, closed" if "unknown fault" in str(error) else str(error)
            raise ControlProblem(422, "bad_fault", detail) from error
        platform.faults.add(fault)
        return Json(_fault(platform, fault), 201)

    async def faults(self, request: Request) -> Response:
        """List what goes wrong now."""
        items = [
            _fault(platform, fault)
            for platform in self._world.platforms.values()
            for fault in platform.faults.active
        ]
        return Json({"items": items, "next": None})

    async def end_faults(self, request: Request) -> Response:
        """End every fault, or those of one channel."""
        channel = request.query_params.get("channel")
        platforms = [self._world.platform(channel)] if channel else self._world.platforms.values()
        for platform in platforms:
            platform.faults.clear()
        return Response(status_code=204)

    async def set_limits(self, request: Request) -> Response:
        """Change the limits of an account, or of all."""
        asked = await _read(request, SetLimits)
        platform = self._world.platform(asked.channel)
        return Json(platform.set_limits(asked.account, asked.limits))

    async def hold_gate(self, request: Request) -> Response:
        """Hold messages between their reading and their taking, or let all of them go."""
        asked = await _read(request, HoldGate)
        gate = self._world.platform(asked.channel).gate
        if not asked.hold:
            gate.open_wide()
        elif not gate.closed:
            gate.hold()
        return await self.gates(request)

    async def gates(self, request: Request) -> Response:
        """Tell which gates are held, and how many messages wait there."""
        items = [
            {"channel": platform.name, "hold": platform.gate.closed, "held": platform.gate.waiting}
            for platform in self._world.platforms.values()
        ]
        return Json({"items": items, "next": None})

    # Time, log, state

    async def turn_clock(self, request: Request) -> Response:
        """Turn the platforms' clock forward."""
        self._world.clock.advance((await _read(request, TurnClock)).advance_seconds)
        return await self.time(request)

    async def time(self, request: Request) -> Response:
        """Tell the platforms' time, and how far it was turned."""
        clock = self._world.clock
        return Json({"now": clock.now(), "turned_seconds": clock.turned})

    async def log(self, request: Request) -> Response:
        """List every call after `since`, and how late the stamps may be."""
        log = self._world.log
        since = _whole(request, "since", 0, 2**63)
        items = log.since(since, _whole(request, "limit", 10_000, MOST_ENTRIES))
        last = items[-1]["seq"] if items else log.last_seq
        return Json(
            {
                "items": items,
                "next": str(last) if last < log.last_seq else None,
                "first_seq": log.first_seq,
                "last_seq": log.last_seq,
                "now_ns": time.monotonic_ns(),
                "lag": {
                    "recent_ms": round(self._world.lag.recent * 1000, 3),
                    "maximum_ms": round(self._world.lag.maximum * 1000, 3),
                },
            }
        )

    async def reset(self, request: Request) -> Response:
        """Forget everything."""
        self._world.reset()
        return Response(status_code=204)

    # A brand's receivers

    async def configure_hook(self, request: Request) -> Response:
        """Tell a receiver its secret, and what to answer from now on."""
        asked = await _read(request, ConfigureHook)
        name = request.path_params["name"]
        self._world.webhooks.configure(
            name, secret=asked.secret, status=asked.answer, retry_after=asked.retry_after
        )
        return await self.hook(request)

    async def hook(self, request: Request) -> Response:
        """List what a receiver got, the newest last."""
        hook = self._world.webhooks.hook(request.path_params["name"])
        return Json(
            {
                "name": hook.name,
                "has_secret": hook.key is not None,
                "answer": hook.status,
                "received": hook.received,
                "items": list(hook.requests),
                "next": None,
            }
        )


async def _photo(platform: Simulator, asked: Say, photo: Upload) -> int | None:
    return await platform.send_photo(asked.account, asked.address, photo, asked.text)


def _fault(platform: Simulator, fault: Fault) -> dict[str, Any]:
    return {
        "channel": platform.name,
        "fault": fault.kind,
        "account": fault.account,
        "address": fault.address,
        "methods": sorted(fault.methods) if fault.methods else None,
        "rate": fault.rate,
        "left": fault.left,
        "retry_after": fault.retry_after,
        "seconds": fault.seconds,
    }
