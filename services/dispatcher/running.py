"""What a dispatcher does by itself: lanes and a list of work; and how it all stops in order."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from channels.base.channel import Channel
from services.dispatcher import (
    account_setup,
    aftermath,
    campaigns,
    ending,
    expand,
    launch,
    refreshing,
    replaying,
    taking_back,
    tally,
)
from services.dispatcher.callbacks import CallbackRunner
from services.dispatcher.days import DayKeeper
from services.dispatcher.deliver import DeliveryRunner
from services.dispatcher.desk import Desk
from services.dispatcher.feed import FeedFollower
from services.dispatcher.horizon import Horizon
from services.dispatcher.intents import Intents
from services.dispatcher.lanes import Lanes, MakeRunner, Runner
from services.dispatcher.parts import Parts
from services.dispatcher.queries.lanes import Lane
from services.dispatcher.sending import House
from services.dispatcher.settler import Settler
from services.dispatcher.window import Window
from services.dispatcher.witness import Witness
from services.dispatcher.work import DONE, Handler, Item, WorkRunner
from shared.worker import Workers

_GARBAGE = (10_000, 20, 20)
"""Objects that are made, net, before the collector looks at the youngest; and how often at all."""


def handlers(desk: Desk) -> Mapping[str, Handler]:
    """Return what is done for each kind of work."""

    async def launch_it(item: Item) -> timedelta | None:
        return await launch.launch_scheduled(desk, item.brand_id, item.subject_id)

    async def expand_it(item: Item) -> timedelta | None:
        return await expand.expand(desk, item.brand_id, item.subject_id)

    async def cancel_it(item: Item) -> timedelta | None:
        return await campaigns.cancel_some(desk.database, item.brand_id, item.subject_id)

    async def finish_it(item: Item) -> timedelta | None:
        return await expand.look_if_done(desk, item.brand_id, item.subject_id)

    async def add_up(item: Item) -> timedelta | None:
        return await tally.add_up(desk.database, item.subject_id)

    async def clear_account(item: Item) -> timedelta | None:
        return await account_setup.clear(desk, item.brand_id, item.subject_id)

    async def opted_out(item: Item) -> timedelta | None:
        await aftermath.opted_out(desk.database, desk.consent, item)
        return DONE

    async def bad_content(item: Item) -> timedelta | None:
        await aftermath.bad_content(desk.database, item)
        return DONE

    async def refresh(item: Item) -> timedelta | None:
        await refreshing.ask(desk, item)
        return DONE

    async def replay(item: Item) -> timedelta | None:
        return await replaying.go_on(desk, item.brand_id, item.subject_id)

    return {
        "launch": launch_it,
        "expand": expand_it,
        "cancel": cancel_it,
        "finish": finish_it,
        "tally": add_up,
        "clear_account": clear_account,
        "opted_out": opted_out,
        "bad_content": bad_content,
        "refresh": refresh,
        "replay": replay,
    }


def endings(desk: Desk) -> Mapping[str, Handler]:
    """Return what is done for stories that are over.

    In a list of its own, as it calls platforms: one that hangs must not hold up a launch.
    """

    async def end_it(item: Item) -> timedelta | None:
        return await ending.end(desk, item.brand_id, item.subject_id)

    async def take_it_back(item: Item) -> timedelta | None:
        return await taking_back.take_back(desk, item.brand_id, item.subject_id)

    return {"end": end_it, "take_back": take_it_back}


def runners(desk: Desk, house: House) -> MakeRunner:
    """Return what makes the runner of a lane, by its kind."""

    def make(lane: Lane, lease: Callable[[], float]) -> Runner:
        if lane.kind == "endpoint":
            return CallbackRunner(desk, lane.brand_id, lane.id, lane.epoch, lease)
        return DeliveryRunner(house, lane, lease)

    return make


@asynccontextmanager
async def running(
    desk: Desk,
    *,
    lanes: Lanes,
    settler: Settler,
    work_wake: asyncio.Event,
    witness: Witness | None = None,
) -> AsyncIterator[None]:
    """Work for as long as the block lasts.

    At its end nothing new begins; then the lanes let land what flies; the settler is the last to
    stop, because it writes down what became of it.
    """
    stop_lanes, stop_settler = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        settling = group.create_task(settler.run(stop_settler), name="settler")
        delivering = group.create_task(lanes.run(stop_lanes), name="lanes")
        async with Workers() as workers:
            workers.start(DayKeeper(desk.database), rest=60.0)
            workers.start(WorkRunner(desk.database, handlers(desk)), rest=0.5, wake=work_wake)
            workers.start(Horizon(desk.database), rest=5.0)
            workers.start(WorkRunner(desk.database, endings(desk)), rest=0.5)
            workers.start(FeedFollower(desk), rest=0.5)
            workers.start(desk.accounts, rest=5.0)
            if witness is not None:
                workers.start(witness, rest=5.0)
            loading = group.create_task(_load(desk.channels), name="channels")
            yield
        loading.cancel()
        stop_lanes.set()
        await delivering
        stop_settler.set()
        await settling


async def _load(channels: Mapping[str, Channel]) -> None:
    """Import what the channels send with before somebody waits for it: aiogram takes seconds.

    What was imported stays for good, hundreds of thousands of objects. The collector would look at
    all of them every few thousand messages, an eighth of all the time; now it leaves them alone.
    """
    for channel in channels.values():
        await asyncio.to_thread(channel.load)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


def house_of(desk: Desk, *, in_flight: int, calls: int, paced: bool) -> House:
    """Return what the runners of this process share."""
    window = Window(in_flight)
    return House(
        database=desk.database,
        consent=desk.consent,
        accounts=desk.accounts,
        parts=Parts(desk.database),
        window=window,
        intents=Intents(desk.database),
        settler=Settler(desk.database, window),
        calls=asyncio.Semaphore(calls),
        paced=paced,
    )
