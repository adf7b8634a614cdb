"""The dispatcher dies at each step of a delivery; nobody gets anything twice, nobody is lost."""

import asyncio

import pytest

from tests.failures.album import ALBUM, an_album
from tests.failures.brand import STORY
from tests.failures.checks import at_most_once

pytestmark = pytest.mark.timeout(240)
WINDOW = 96
"""What may be in flight: the dispatcher's own setting."""
SINGLES, ALBUMS = 120, 60


async def die_and_come_back(processes):
    """Wait until the dispatcher is dead and start it again; return how it ended."""
    code = await processes.ended("dispatcher")
    processes.start("dispatcher")
    await processes.ready("dispatcher")
    return code


@pytest.mark.parametrize(
    ("step", "when", "in_flight"),
    [
        # At the first claim nothing has been intended, so nothing can be unknown.
        ("after_claim", "#1", 0),
        ("after_ask", "#1", 0),
        ("after_intent", "#2", WINDOW),
        ("before_write", "#70", WINDOW),
        ("after_write", "#70", WINDOW),
        ("before_settle", "#4", WINDOW),
        ("after_settle", "#4", WINDOW),
    ],
)
async def test_killed_at(processes, brand, tell, step, when, in_flight):
    people = await brand.people(SINGLES + ALBUMS)
    singles, albums = people[:SINGLES], people[SINGLES:]
    drafts = [
        await brand.draft(STORY, singles),
        await brand.draft(await an_album(brand), albums),
    ]
    await processes.restart("dispatcher", failpoints=f"dispatcher.{step}=crash({when})")
    code, *_ = await asyncio.gather(
        die_and_come_back(processes),
        *(brand.insist("POST", f"/v1/campaigns/{each}/launch") for each in drafts),
    )
    single, album = [await brand.finished(each) for each in drafts]
    taken = await brand.taken()
    unknown = await brand.addresses_of(drafts[0], "unknown")
    odd = {
        address
        for status in ("unknown", "partial")
        for address in await brand.addresses_of(drafts[1], status)
    }
    lost = single["unknown"] + album["unknown"] + album["partial"]
    tell(f"{lost} unknown or partial, {brand.polls} polls")

    assert code == -9
    assert (single["accepted"], album["accepted"]) == (SINGLES, ALBUMS)
    at_most_once(taken)
    assert single["sent"] + single["unknown"] == SINGLES
    assert album["sent"] + album["unknown"] + album["partial"] == ALBUMS
    assert lost <= in_flight
    for address in set(singles) - set(unknown):
        assert taken[address, "sendMessage"] == 1
    for address in set(albums) - odd:
        assert [taken[address, method] for method in ALBUM] == [1, 1]
