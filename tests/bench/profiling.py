"""Where the time of a message goes: `python -m tests.bench send --profile`, or of `send_webhook`.

Three campaigns: one whose processor time is counted by process, one in which the
dispatcher's stacks are sampled, and one in which PostgreSQL writes down every statement. What they
show goes to build/bench-profile. These are accounts, not figures: looking costs time itself.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from tests.bench import stacks, statements
from tests.bench.figures import really
from tests.bench.house import ROOT
from tests.bench.machine import Machine
from tests.bench.statements import Statement
from tests.bench.turns import TELEGRAM, WEBHOOK, OnTheRoad, on_the_road

FOLDER = ROOT / "build" / "bench-profile"
_LINES = 30
_UNSEEN = 0.004
"""The share of the samples below which a line is left out."""
ROADS = {"send": TELEGRAM, "send_webhook": WEBHOOK}


async def profile_sending(name: str, machine: Machine, *, quick: bool) -> str:
    """Take the three accounts; write them to files, and return the page that is for people."""
    road = ROADS[name]
    people = 4_000 if quick else 20_000
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / "dispatcher.stacks"
    through = {"dispatcher": stacks.way_to_start(file)}
    async with on_the_road(machine, road, people, through=through) as on:
        # The first campaign of a process opens the accounts, the connections, the plans.
        await on.sending.campaign(people)
        costs = await on.sending.campaign(people)
        await _sampled(on, people, file)
    page = [
        f"# A message of `{name}`: {costs['rate']:,.0f} a second",
        *_table("processor time, µs per message, by process", _costs(costs)),
        *_sampled_tables(stacks.read(file), costs["dispatcher_cpu_us"]),
    ]
    async with machine.a_database() as database:
        await statements.log_all(machine, database)
        async with on_the_road(machine, road, people, database=database) as on:
            await on.sending.campaign(people)
            page += await _asked(machine, on, people)
    text = "\n".join(page) + "\n"
    (FOLDER / "report.txt").write_text(text)
    return text


async def _sampled(on: OnTheRoad, people: int, file: Path) -> None:
    campaign_id = await on.sending.expanded(people)
    with stacks.recorded(on.house.pids["dispatcher"], file):
        await on.sending.let_go()
        await on.sending.until_settled(campaign_id, people)
    await on.sending.verify(campaign_id, people)


async def _asked(machine: Machine, on: OnTheRoad, people: int) -> list[str]:
    """Send one campaign and read what PostgreSQL wrote down of it."""
    log = machine.cluster.log
    campaign_id = await on.sending.expanded(people)
    start = statements.end_of(log)
    before = await _server(on)
    await on.sending.let_go()
    began_at = await on.sending.until_settled(campaign_id, people)
    seconds = time.time() - began_at
    after = await _server(on)
    found = [s for s in statements.read(log, start) if s.who.startswith("permesso")]
    await on.sending.verify(campaign_id, people)
    really(sum(s.calls for s in found) > 0, "PostgreSQL wrote nothing down")
    (FOLDER / "statements.json").write_bytes(
        orjson.dumps([asdict(s) for s in found], option=orjson.OPT_INDENT_2)
    )
    per_message = {name: (after[name] - before[name]) / people for name in after}
    return [
        "",
        f"## statements, {people / seconds:,.0f} messages a second while they were written down",
        "",
        *_programs(found, people),
        f"transactions per message: {per_message['transactions']:.3f}",
        f"bytes written ahead per message: {per_message['wal_bytes']:,.0f}",
        "",
        "per message:",
        "calls   µs running  µs planning  ms a call  program and statement",
        *(_line(s, people) for s in found[:_LINES]),
    ]


async def _server(on: OnTheRoad) -> Mapping[str, float]:
    row = await on.connection.fetchrow(
        "SELECT xact_commit::float8 AS transactions,"
        " pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS wal_bytes"
        " FROM pg_stat_database WHERE datname = current_database()"
    )
    return dict(row)


def _programs(found: Sequence[Statement], people: int) -> list[str]:
    calls: Counter[str] = Counter()
    for statement in found:
        calls[statement.who] += statement.calls
    return [f"round trips per message, {who}: {n / people:.3f}" for who, n in calls.most_common()]


def _line(s: Statement, people: int) -> str:
    running, planning = s.running_ms / people * 1e3, s.planning_ms / people * 1e3
    each = s.running_ms / max(1, s.calls)
    who = s.who.removeprefix("permesso ")
    return (
        f"{s.calls / people:6.3f}{running:12.1f}{planning:12.1f}{each:11.3f}  {who}: {s.text[:90]}"
    )


def _costs(costs: Mapping[str, float]) -> Counter[str]:
    ending = "_cpu_us"
    return Counter(
        {k.removesuffix(ending): round(v) for k, v in costs.items() if k.endswith(ending)}
    )


def _sampled_tables(met: stacks.Stacks, dispatcher_us: float) -> list[str]:
    """Spread the dispatcher's processor time over what its stacks show."""
    every = sum(met.values())
    really(every > 100, f"only {every} samples were taken")
    page: list[str] = []
    for title, counted in (
        ("by our innermost function, with what it calls of others", stacks.by_own_function(met)),
        ("by the package that runs itself", stacks.by_package(met)),
    ):
        spread = Counter(
            {k: n / every * dispatcher_us for k, n in counted.items() if n / every > _UNSEEN}
        )
        page += _table(f"the dispatcher, µs per message, {title} ({every} samples)", spread)
    return page


def _table(title: str, rows: Mapping[str, float]) -> list[str]:
    ordered = sorted(rows.items(), key=lambda row: row[1], reverse=True)[:_LINES]
    return ["", f"## {title}", "", *(f"{value:8.1f}  {name}" for name, value in ordered)]
