"""Call a brand back: sign what happened, post it, come again until it is taken.

At least once: a callback whose answer was lost is posted again under the same `webhook-id`. Nothing
is promised about the order.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import orjson
import structlog

from services.dispatcher.answers import Judgement, judge
from services.dispatcher.desk import Desk
from services.dispatcher.endpoints import signing_keys
from services.dispatcher.queries import callbacks, endpoints
from services.dispatcher.queries.callbacks import Due, Tried
from services.dispatcher.queries.endpoints import EndpointRecord
from shared import clock, failpoints
from shared.http import NotSent, SendingError
from shared.ids import new_id
from shared.security.standard_webhooks import sign

log = structlog.get_logger()

IN_FLIGHT = 16
ANSWER_WITHIN = 15.0
"""Seconds for a brand's server to answer."""
LOOK_AT_ENDPOINT = 1.0
"""Seconds for which an endpoint is used as it was read."""
IDLE = 1.0
GONE_QUIET = 5.0
"""Seconds without work after which a runner ends; its lane is woken when something is due."""
STOP_WITHIN = 3.0
"""Seconds that posts under way may take when the runner is stopped; then they are broken off."""
_SUSPECT = 16
"""Failures in a row after which an endpoint is only probed, one callback at a time."""
_LONGEST_PROBE = 60.0


@dataclass(frozen=True, slots=True)
class _Open:
    """An endpoint with its keys at hand."""

    record: EndpointRecord
    keys: list[bytes]
    read_at: float


class CallbackRunner:
    """One endpoint's lane, under one epoch."""

    def __init__(
        self,
        desk: Desk,
        brand_id: UUID,
        endpoint_id: UUID,
        epoch: int,
        held: Callable[[], float],
    ) -> None:
        """Call back for as long as `held()` (ticks) lies ahead."""
        self._desk = desk
        self._brand_id = brand_id
        self._endpoint_id = endpoint_id
        self._epoch = epoch
        self._held = held
        self._endpoint: _Open | None = None
        self._flying: dict[UUID, asyncio.Task[None]] = {}
        self._tried: list[Tried] = []
        self._disable: str | None = None
        self._failures = 0
        self._probe_at = 0.0

    async def run(self, *, stop: asyncio.Event, wake: asyncio.Event) -> None:
        """Post until `stop`, until the lease ends, or until nothing has come for a while."""
        quiet_since = clock.ticks()
        async with asyncio.TaskGroup() as posts:
            try:
                while not stop.is_set() and self._held() > clock.ticks():
                    wake.clear()
                    began = await self._round(posts, wake)
                    if began or self._flying:
                        quiet_since = clock.ticks()
                    elif self._has_gone_quiet(quiet_since) and not wake.is_set():
                        break
                    if not began:
                        await _rest(wake, self._patience())
            finally:
                await self._land()
        await self._settle()
        await self._sleep()

    async def _round(self, posts: asyncio.TaskGroup, wake: asyncio.Event) -> int:
        """Write down what came back and begin what is due; return how many were begun."""
        await self._settle()
        endpoint = await self._open_endpoint()
        room = self._room()
        if endpoint is None or room <= 0:
            return 0
        # What landed while the others were written down is not flying, but not written down either.
        under_way = [*self._flying, *(x.event_id for x in self._tried)]
        async with self._desk.database.connection(self._brand_id) as connection:
            due = await callbacks.due(
                connection,
                brand_id=self._brand_id,
                endpoint_id=self._endpoint_id,
                but=under_way,
                limit=room,
            )
        for callback in due:
            task = posts.create_task(self._call(endpoint, callback))
            self._flying[callback.event_id] = task
            task.add_done_callback(partial(self._landed, callback.event_id, wake))
        return len(due)

    async def _call(self, endpoint: _Open, callback: Due) -> None:
        """Post one callback; whatever becomes of it is written down with the next round."""
        at = clock.now()
        body = orjson.dumps(
            {"type": callback.type, "timestamp": _zulu(callback.at), "data": callback.data}
        )
        headers = sign(endpoint.keys, message_id=str(callback.event_id), at=at, body=body)
        status: int | None = None
        retry_after: str | None = None
        code: str | None = None
        try:
            answer = await self._desk.callbacks.post(
                endpoint.record.url,
                headers={**_HEADERS, **headers},
                body=body,
                start_before=self._held(),
                timeout=ANSWER_WITHIN,
            )
            status, retry_after = answer.status, answer.header("retry-after")
        except SendingError as error:
            if isinstance(error, NotSent) and self._held() <= clock.ticks():
                return  # the lane is lost, and nothing left: the next owner begins
            code = error.code
        await failpoints.reach("dispatcher.after_callback")
        judgement = judge(
            callback.number + 1,
            http_status=status,
            retry_after=retry_after,
            failing_since=endpoint.record.failing_since,
            now=at,
        )
        self._note(callback, judgement, at=at, status=status, code=code)

    def _note(
        self,
        callback: Due,
        judgement: Judgement,
        *,
        at: datetime,
        status: int | None,
        code: str | None,
    ) -> None:
        self._tried.append(
            Tried(
                id=new_id(),
                event_id=callback.event_id,
                day=callback.day,
                type=callback.type,
                number=callback.number + 1,
                at=at,
                status=judgement.status,
                wait=judgement.wait.total_seconds(),
                http_status=status,
                code=code if status is None else None,
            )
        )
        self._disable = judgement.disable or self._disable
        if judgement.status == "delivered":
            self._failures = 0
            return
        self._failures += 1
        if self._failures >= _SUSPECT:
            pause = min(2.0 ** (self._failures - _SUSPECT), _LONGEST_PROBE)
            self._probe_at = clock.ticks() + pause

    async def _settle(self) -> None:
        if not self._tried:
            return
        tried, self._tried = self._tried, []
        delivered = any(x.status == "delivered" for x in tried)
        try:
            async with self._desk.database.connection(self._brand_id) as connection:
                await callbacks.settle(
                    connection,
                    brand_id=self._brand_id,
                    endpoint_id=self._endpoint_id,
                    tried=tried,
                )
                await endpoints.health(
                    connection,
                    brand_id=self._brand_id,
                    endpoint_id=self._endpoint_id,
                    delivered=delivered,
                    failed=not delivered,
                    disable=self._disable,
                )
        except BaseException:
            self._tried = tried + self._tried
            raise
        if self._disable is not None:
            log.warning("endpoint.disabled", endpoint=str(self._endpoint_id), reason=self._disable)
            self._endpoint, self._disable = None, None
        log.debug("callbacks.settled", endpoint=str(self._endpoint_id), count=len(tried))

    async def _open_endpoint(self) -> _Open | None:
        """Return the endpoint as it was at most a second ago; none when it is not to be called."""
        known = self._endpoint
        if known is None or clock.ticks() - known.read_at > LOOK_AT_ENDPOINT:
            async with self._desk.database.connection(self._brand_id) as connection:
                record = await endpoints.find(
                    connection, brand_id=self._brand_id, endpoint_id=self._endpoint_id
                )
            if record is None or not record.enabled:
                self._endpoint = None
                return None
            keys = signing_keys(
                self._desk.sealer,
                self._brand_id,
                self._endpoint_id,
                record.secrets,
                now=clock.now(),
            )
            if record.failing_since is not None and known is None:
                self._failures = max(self._failures, _SUSPECT - 1)
            self._endpoint = known = _Open(record, keys, clock.ticks())
        return known

    def _room(self) -> int:
        """Return how many posts may begin: few where an endpoint has long done nothing but fail."""
        if self._failures < _SUSPECT:
            return IN_FLIGHT - len(self._flying)
        return int(not self._flying and clock.ticks() >= self._probe_at)

    def _patience(self) -> float:
        """Return how long to rest when there is nothing to begin; a post that lands ends it."""
        if self._failures < _SUSPECT:
            return IDLE
        return max(0.01, self._probe_at - clock.ticks()) if not self._flying else IDLE

    def _has_gone_quiet(self, since: float) -> bool:
        """Say whether nothing is left to do here; a suspect is probed first."""
        now = clock.ticks()
        return now - since > GONE_QUIET and now >= self._probe_at

    def _landed(self, event_id: UUID, wake: asyncio.Event, task: asyncio.Task[None]) -> None:
        self._flying.pop(event_id, None)
        wake.set()

    async def _land(self) -> None:
        """Let what flies land for a moment; then break it off: it will be posted again."""
        if tasks := list(self._flying.values()):
            _, late = await asyncio.wait(tasks, timeout=STOP_WITHIN)
            for task in late:
                task.cancel()

    async def _sleep(self) -> None:
        """Ask to be woken when the next callback is due."""
        if await self._open_endpoint() is None:
            return
        async with self._desk.database.connection(self._brand_id) as connection:
            at = await callbacks.next_due(
                connection, brand_id=self._brand_id, endpoint_id=self._endpoint_id
            )
            if at is not None:
                await callbacks.sleep_until(connection, endpoint_id=self._endpoint_id, at=at)


_HEADERS = {
    "content-type": "application/json",
    "user-agent": "Permesso-Callbacks/1",
    "accept-encoding": "identity",
}


def _zulu(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def _rest(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
