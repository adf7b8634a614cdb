"""A message for each fault point, on an account whose wire has that fault."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from sandbox.app import Sandbox
from shared.contracts.consent import Profile
from shared.contracts.messages import Content, MessageIn
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig, picture
from tests.dispatcher.fault_wire import Fault, FaultWire, a_fault_wire
from tests.shared.fault_proxy import closed_port

_BOTS = count(8_700_001)
OPEN = ("queued", "claimed", "sending")


@dataclass(frozen=True)
class Point:
    """One fault, or one for each call in turn; and what has to be written down of it."""

    faults: Fault | tuple[Fault, ...]
    outcomes: str
    """Of the attempts in order; `|` parts what is as good."""
    status: str
    account: str = "plain"
    story: bool = False
    """An album of two pictures, then a call to action."""

    @property
    def calls(self) -> list[Fault]:
        """What each call for this person meets."""
        return list(self.faults) if isinstance(self.faults, tuple) else [self.faults]


@dataclass
class Wires:
    """The wire of most accounts, and where those lead that have another."""

    usual: FaultWire
    ports: dict[str, int]
    allowed: tuple[str, ...]

    def port(self, account: str) -> int:
        """Return where an account finds the platform."""
        return self.ports.get(account, self.usual.port)


@asynccontextmanager
async def wires_to(platform_port: int) -> AsyncIterator[Wires]:
    """Lay all wires; one account finds nobody there, another may not go where it leads."""
    async with AsyncExitStack() as stack:
        usual = await stack.enter_async_context(a_fault_wire(platform_port))
        ports = {"closed": closed_port()}
        for unread in ("close", "reset", "hang"):
            wire = await stack.enter_async_context(a_fault_wire(platform_port, unread=unread))
            ports[f"unread_{unread}"] = wire.port
        allowed = tuple(f"127.0.0.1:{port}" for port in (usual.port, *ports.values()))
        yield Wires(usual, {**ports, "forbidden": platform_port}, allowed)


@dataclass
class Table:
    """The points of a table as messages of one brand, and what became of them."""

    rig: Rig
    sandbox: Sandbox
    wires: Wires
    points: Mapping[str, Point]
    _accounts: dict[str, tuple[UUID, int]] = field(default_factory=dict)
    _messages: dict[UUID, str] = field(default_factory=dict)
    _addresses: dict[str, str] = field(default_factory=dict)

    async def queue(self) -> None:
        """Queue a message for each point; its faults wait on the wire."""
        for account in dict.fromkeys(point.account for point in self.points.values()):
            await self._open(account)
        story = await self._story()
        for name, point in self.points.items():
            account_id, bot = self._accounts[point.account]
            platform = self.sandbox.world.platform("telegram")
            [address] = platform.make_people(str(bot), count=1, language="it")
            await self.rig.say(
                "grant", address, account_id=account_id, profile=Profile(language="it")
            )
            self.wires.usual.faults[address] = point.calls
            self._addresses[name] = address
            content = Content(story_id=story) if point.story else Content(text="Ciao")
            wanted = MessageIn(
                account_id=account_id, address=address, purpose="marketing", content=content
            )
            message_id = new_id()
            self._messages[message_id] = name
            await self.rig.dispatcher.put_message(self.rig.brand_id, message_id, wanted)

    async def _open(self, name: str) -> None:
        bot = next(_BOTS)
        credentials = {
            "token": f"{bot}:AAE-of_a_test",
            "api_base": f"http://127.0.0.1:{self.wires.port(name)}/telegram",
        }
        if self._accounts:
            account_id = await self.rig.add_account(credentials=credentials)
        else:
            await self.rig.open_brand(credentials=credentials)
            account_id = self.rig.account_id
        self._accounts[name] = account_id, bot
        limits = {"per_second": 0, "chat_per_second": 0}
        self.sandbox.world.platform("telegram").set_limits(str(bot), limits)

    async def _story(self) -> UUID:
        frames = []
        for colour in ("tomato", "teal"):
            kept = await self.rig.dispatcher.put_media(
                self.rig.brand_id,
                mime="image/jpeg",
                name="a.jpg",
                data=picture(colour, size=(300, 500)),
            )
            frames.append({"media_id": str(kept.id), "text": colour, "alt": colour})
        frames[-1]["button"] = {"label": "Assaggia", "url": "https://aurora.example/autunno"}
        return (await self.rig.story(frames=frames)).id

    async def is_settled(self) -> bool:
        """Say whether each message has come where its point says that it ends, or elsewhere."""
        seen = await self.read()
        return len(seen) == len(self.points) and all(
            outcomes and (status not in OPEN or "queued" in self.points[name].status)
            for name, (outcomes, status) in seen.items()
        )

    async def read(self) -> dict[str, tuple[list[str], str]]:
        """Return the outcomes of each point's attempts in order, and its message's status."""
        rows = await self.rig.sql("SELECT id, status FROM dispatcher.message")
        attempts = await self.rig.sql(
            "SELECT message_id, outcome FROM dispatcher.attempt ORDER BY started_at, id"
        )
        seen: dict[str, tuple[list[str], str]] = {
            self._messages[row["id"]]: ([], row["status"]) for row in rows
        }
        for row in attempts:
            seen[self._messages[row["message_id"]]][0].append(row["outcome"])
        return seen

    def taken(self) -> Counter[str]:
        """Return how many calls for each point the platform took, by its own log."""
        names = {address: name for name, address in self._addresses.items()}
        return Counter(
            names[entry["address"] or ""]
            for entry in self.sandbox.world.log.since(0)
            if entry["outcome"] == "taken" and entry["method"].startswith("send")
        )
