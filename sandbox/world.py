"""Everything the sandbox simulates: the platforms, and what they share."""

import asyncio

from channels.base.simulator import CallLog, ControlProblem, Listener, Simulator, TurnableClock
from channels.base.simulator.listening import LoopLag
from channels.telegram.simulator import Platform as Telegram
from channels.webhook.simulator import Platform as Webhooks

LONGEST_CLOSED = 600.0


class World:
    """All simulated platforms, on one clock and one log."""

    def __init__(self, *, log_capacity: int = 1 << 20) -> None:
        """Make the platforms; a log of capacity 0 counts calls and keeps none."""
        self.log = CallLog(log_capacity)
        self.clock = TurnableClock()
        self.lag = LoopLag()
        self.webhooks = Webhooks(log=self.log, clock=self.clock)
        self.platforms: dict[str, Simulator] = {
            platform.name: platform
            for platform in (Telegram(log=self.log, clock=self.clock), self.webhooks)
        }
        self.listener: Listener | None = None
        """The port all this is served on, which the fault `closed` closes for a while."""
        self._reopening: asyncio.Task[None] | None = None

    def platform(self, channel: str) -> Simulator:
        """Return the platform of a channel."""
        found = self.platforms.get(channel)
        if found is None:
            known = ", ".join(self.platforms)
            raise ControlProblem(404, "unknown_channel", f"No such channel here; known: {known}.")
        return found

    def close_port(self, seconds: float) -> None:
        """Refuse every connection for some seconds of real time, the control side's included."""
        if self.listener is None:
            raise ControlProblem(409, "not_listening", "This sandbox does not own its port.")
        if not 0 < seconds <= LONGEST_CLOSED:
            raise ControlProblem(
                422, "bad_seconds", f"seconds: more than 0, at most {LONGEST_CLOSED}."
            )
        if self._reopening is None or self._reopening.done():
            loop = asyncio.get_running_loop()
            self._reopening = loop.create_task(self._closed(self.listener, seconds))

    async def _closed(self, listener: Listener, seconds: float) -> None:
        # The answer that promises it has to leave first.
        await asyncio.sleep(0.05)
        await listener.close()
        await asyncio.sleep(seconds)
        await listener.open()

    def reset(self) -> None:
        """Forget every person, message, account, fault, gate and log entry; the clock stays."""
        for platform in self.platforms.values():
            platform.reset()
        self.log.clear()

    async def close(self) -> None:
        """Stop everything that still runs."""
        self.lag.stop()
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.gather(self._reopening, return_exceptions=True)
        for platform in self.platforms.values():
            await platform.close()
