"""Two who became one, each paused or in doubt: a pause keeps its end, and a review its clock."""

import itertools

import pytest

from services.consent.pause_ends import PauseEnds
from services.consent.registry import Registry
from shared.database import Database
from tests.consent.consent_house import House
from tests.consent.test_merges import merged, taken_apart
from tests.consent.test_pauses import let_days_pass, until_idle, writes
from tests.consent.test_reviews import DOUBTFUL, decide


@pytest.fixture
def ends(registry: Registry) -> PauseEnds:
    return PauseEnds(registry)


async def said(house: House, words: str | dict[str, str]) -> list[object]:
    """Let Ada at `a` and Ada at `b` say yes, and then these words; return what was recorded."""
    told = words if isinstance(words, dict) else dict.fromkeys("ab", words)
    for address in "ab":
        await house.say("grant", address)
    return [await writes(house, text, address) for address, text in told.items()]


_CLOCKLESS = """
SELECT 'review', r.id FROM consent.review r WHERE r.brand_id = $1 AND r.decided_at IS NULL
    AND NOT EXISTS (SELECT FROM consent.pause_due d WHERE d.event_id = r.id)
UNION ALL
SELECT 'open, and holds nothing', r.id FROM consent.review r
WHERE r.brand_id = $1 AND r.decided_at IS NULL AND NOT EXISTS (
    SELECT FROM consent.pause p WHERE p.brand_id = $1 AND p.event_id = r.id
        AND p.person_id = r.person_id)
UNION ALL
SELECT 'pause', p.event_id FROM consent.pause p WHERE p.brand_id = $1
    AND NOT EXISTS (SELECT FROM consent.pause_due d WHERE d.event_id = p.event_id)
UNION ALL
SELECT 'of somebody else', p.event_id FROM consent.pause p
JOIN consent.account a ON a.brand_id = p.brand_id AND a.id = p.account_id
JOIN consent.identity i
    ON i.brand_id = p.brand_id AND i.channel = a.channel AND i.address = p.address
WHERE p.brand_id = $1 AND i.person_id <> p.person_id
UNION ALL
SELECT 'paused by nothing', s.event_id FROM consent.state s
JOIN consent.account a ON a.brand_id = s.brand_id AND a.id = s.account_id
WHERE s.brand_id = $1 AND s.paused_until > now() AND NOT EXISTS (
    SELECT FROM consent.pause p WHERE p.brand_id = $1 AND p.person_id = s.person_id
        AND p.until >= s.paused_until AND (p.reach, p.target)
            IN (('account', a.id::text), ('channel', a.channel), ('brand', '')))
"""


async def assert_clocks(house: House, owner: Database) -> None:
    """Nothing is paused, or open, without something that ends it."""
    async with owner.connection(house.brand_id) as connection:
        found = await connection.fetch(_CLOCKLESS, house.brand_id)
    assert [tuple(row) for row in found] == []


async def statuses(house: House) -> list[tuple[str, str | None]]:
    reviews = (await house.client.list_reviews(house.brand_id)).items
    return [(each.status, each.decision) for each in reviews]


async def answers(house: House) -> list[str]:
    return [await house.answer(address) for address in "ab"]


async def test_both_in_doubt_and_nobody_decides_it_was_a_no_of_both(
    house: House, ends: PauseEnds, owner_database: Database
) -> None:
    one, other = await said(house, DOUBTFUL)
    await merged(house, one.person_id, other.person_id)
    await assert_clocks(house, owner_database)
    assert await answers(house) == ["paused", "paused"]
    await let_days_pass(house, owner_database, 4)
    await until_idle(ends)

    assert await answers(house) == ["revoked", "revoked"]
    assert await statuses(house) == [("decided", "revoke")] * 2
    await assert_clocks(house, owner_database)


@pytest.mark.parametrize("number", [0, 1])
async def test_one_is_decided_as_no_no_and_the_other_still_waits(
    house: House, ends: PauseEnds, owner_database: Database, number: int
) -> None:
    one, other = await said(house, DOUBTFUL)
    await merged(house, one.person_id, other.person_id)
    reviews = (await house.client.list_reviews(house.brand_id)).items
    decided = await decide(house, reviews[number], "resume")
    await assert_clocks(house, owner_database)

    assert decided.reason is None
    assert await answers(house) == ["paused", "paused"]
    assert sorted(await statuses(house)) == [("decided", "resume"), ("open", None)]
    await let_days_pass(house, owner_database, 4)
    await until_idle(ends)
    assert await answers(house) == ["revoked", "revoked"]
    assert sorted(await statuses(house)) == [("decided", "resume"), ("decided", "revoke")]


@pytest.mark.parametrize("number", [0, 1])
async def test_a_no_for_one_of_them_decides_both(
    house: House, owner_database: Database, number: int
) -> None:
    one, other = await said(house, DOUBTFUL)
    await merged(house, one.person_id, other.person_id)
    reviews = (await house.client.list_reviews(house.brand_id)).items
    await decide(house, reviews[number], "revoke")
    await assert_clocks(house, owner_database)

    assert await answers(house) == ["revoked", "revoked"]
    assert await statuses(house) == [("decided", "revoke")] * 2


async def test_a_word_of_the_person_decides_both(house: House, owner_database: Database) -> None:
    one, other = await said(house, DOUBTFUL)
    await merged(house, one.person_id, other.person_id)
    await writes(house, "START", "a")
    await assert_clocks(house, owner_database)

    assert await answers(house) == ["granted", "granted"]
    assert await statuses(house) == [("decided", "resume")] * 2


@pytest.mark.parametrize("lengths", [(7, 90), (90, 7)])
async def test_of_two_pauses_the_longer_one_holds_to_its_end(
    house: House, ends: PauseEnds, owner_database: Database, lengths: tuple[int, int]
) -> None:
    words = {address: f"pause {days} days" for address, days in zip("ab", lengths, strict=True)}
    one, other = await said(house, words)
    await merged(house, one.person_id, other.person_id)
    for passed, expected in ((8, "paused"), (81, "paused"), (2, "granted")):
        await assert_clocks(house, owner_database)
        await let_days_pass(house, owner_database, passed)
        await until_idle(ends)
        assert await answers(house) == [expected, expected]
    await assert_clocks(house, owner_database)


@pytest.mark.parametrize(
    ("in_doubt", "decision"), list(itertools.product("ab", ["resume", "revoke", None]))
)
async def test_a_split_gives_a_doubt_back_to_whose_words_they_were(
    house: House,
    ends: PauseEnds,
    owner_database: Database,
    in_doubt: str,
    decision: str | None,
) -> None:
    for address in "ab":
        await house.say("grant", address)
    one, other = [(await house.say("grant", address)).person_id for address in "ab"]
    merge = await merged(house, one, other)
    doubted = await writes(house, DOUBTFUL, in_doubt)
    assert await answers(house) == ["paused", "paused"]
    await taken_apart(house, one, merge.id)
    await assert_clocks(house, owner_database)
    free = "b" if in_doubt == "a" else "a"

    assert (await house.answer(in_doubt), await house.answer(free)) == ("paused", "granted")
    review = await house.client.get_review(house.brand_id, doubted.id)
    if decision is not None:
        await decide(house, review, decision)
    else:
        await let_days_pass(house, owner_database, 4)
        await until_idle(ends)
    ended = "granted" if decision == "resume" else "revoked"
    assert (await house.answer(in_doubt), await house.answer(free)) == (ended, "granted")
    assert await statuses(house) == [("decided", decision or "revoke")]
    await assert_clocks(house, owner_database)
