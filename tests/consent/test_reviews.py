"""Doubtful words pause, are asked about once, and become a no when nobody decides in time."""

import asyncio

import pytest

from services.consent.pause_ends import PauseEnds
from services.consent.registry import Registry
from shared.clients.base import ServiceRefused
from shared.contracts.consent import ConsentRecorded, Evidence, Scope
from shared.contracts.reviews import Review
from shared.database import Database
from shared.ids import new_id
from tests.consent.consent_house import House
from tests.consent.test_pauses import let_days_pass, lines, news, until_idle, writes

DOUBTFUL = "maybe I should unsubscribe"


@pytest.fixture
def ends(registry: Registry) -> PauseEnds:
    return PauseEnds(registry)


async def only_review(house: House, recorded: ConsentRecorded) -> Review:
    review = await house.client.get_review(house.brand_id, recorded.id)
    assert (await house.client.list_reviews(house.brand_id)).items[-1] == review
    return review


async def decide(house: House, review: Review, decision: str) -> ConsentRecorded:
    """Say as the brand what the words were."""
    return await house.say(
        decision,
        review.address,
        scope=review.scope,
        review_id=review.id,
        evidence=Evidence(source="review", rule="key:7"),
    )


async def test_words_that_may_be_a_no_pause_at_once_and_are_asked_about(
    house: House, start: int
) -> None:
    await house.say("grant")
    doubted = await writes(house, DOUBTFUL)
    review = await only_review(house, doubted)

    assert (doubted.state, doubted.paused_until) == ("paused", None)
    assert await house.answer() == "paused"
    assert doubted.reaches
    assert doubted.reply is not None
    assert all(word in doubted.reply for word in ("STOP", "START", "Aurora"))
    assert (review.status, review.evidence.text) == ("open", DOUBTFUL)
    assert review.evidence.score is not None
    assert 71 < (review.due_at - review.opened_at).total_seconds() / 3_600 < 73
    assert await lines(house, doubted) == ["grant", "pause"]
    assert await news(house, start) == ["consent.granted", "consent.doubtful"]


async def test_a_pause_in_doubt_has_no_end_that_a_person_is_shown(house: House) -> None:
    granted = await house.say("grant")
    await writes(house, DOUBTFUL)
    (state,) = (await house.client.get_person(house.brand_id, granted.person_id)).consents

    assert (state.paused, state.paused_until) == (True, None)


async def test_nobody_decides_and_it_was_a_no(
    house: House, ends: PauseEnds, owner_database: Database, start: int
) -> None:
    await house.say("grant")
    doubted = await writes(house, DOUBTFUL)
    await let_days_pass(house, owner_database, 2)
    await until_idle(ends)
    before = await house.answer()
    await let_days_pass(house, owner_database, 2)
    when_due = await house.answer()
    await until_idle(ends)
    review = await only_review(house, doubted)
    history = await house.client.history(house.brand_id, doubted.person_id)

    assert (before, when_due, await house.answer()) == ("paused", "paused", "revoked")
    assert (review.status, review.decision, review.decided_by) == (
        "decided",
        "revoke",
        "review.timeout",
    )
    assert [item.action for item in history.items] == ["grant", "pause", "review"]
    assert history.items[-1].evidence.source == "review.timeout"
    assert history.items[-1].scope is Scope.CHANNEL
    assert (await news(house, start))[-1] == "consent.revoked"


@pytest.mark.parametrize(
    ("word", "answer", "decision"), [("STOP", "revoked", "revoke"), ("START", "granted", "resume")]
)
async def test_the_person_decides_with_a_word(
    house: House, ends: PauseEnds, owner_database: Database, word: str, answer: str, decision: str
) -> None:
    await house.say("grant")
    doubted = await writes(house, DOUBTFUL)
    await writes(house, word)
    review = await only_review(house, doubted)
    await let_days_pass(house, owner_database, 4)
    await until_idle(ends)

    assert await house.answer() == answer
    assert (review.decision, review.decided_by) == (decision, "person")


@pytest.mark.parametrize(("decision", "answer"), [("revoke", "revoked"), ("resume", "granted")])
async def test_the_brand_decides_and_nobody_decides_again(
    house: House, decision: str, answer: str
) -> None:
    await house.say("grant")
    doubted = await writes(house, DOUBTFUL)
    review = await only_review(house, doubted)
    await decide(house, review, decision)
    decided = await only_review(house, doubted)
    again = await decide(house, review, "revoke")
    once_more = await decide(house, review, "resume")

    assert (decided.decision, decided.decided_by) == (decision, "key:7")
    assert (again.state, again.reason) == ("unchanged", "decided_before")
    assert (once_more.state, once_more.reason) == ("unchanged", "not_paused")
    assert await house.answer() == answer


async def test_a_decision_for_the_words_leaves_a_pause_that_was_asked_for(house: House) -> None:
    await house.say("grant")
    await writes(house, "pause 10 days")
    doubted = await writes(house, DOUBTFUL)
    await decide(house, await only_review(house, doubted), "resume")

    assert await house.answer() == "paused"


async def test_nobody_is_asked_twice_in_thirty_days(house: House, owner_database: Database) -> None:
    await house.say("grant")
    first = await writes(house, DOUBTFUL)
    await writes(house, "START")
    second = await writes(house, DOUBTFUL)
    await decide(house, await only_review(house, second), "resume")
    await let_days_pass(house, owner_database, 31)
    third = await writes(house, DOUBTFUL)

    assert first.reply is not None
    assert (second.state, second.reply) == ("paused", None)
    assert third.reply is not None


async def test_doubts_that_are_repeated_open_one_review(house: House) -> None:
    await house.say("grant")
    doubted = await writes(house, DOUBTFUL)
    again = await writes(house, DOUBTFUL)
    page = await house.client.list_reviews(house.brand_id)

    assert (again.state, again.reply) == ("unchanged", None)
    assert [review.id for review in page.items] == [doubted.id]


async def test_who_gets_nothing_has_nothing_to_doubt(house: House) -> None:
    event = house.event("heard", evidence=Evidence(source="chat", text=DOUBTFUL))
    stranger = await house.client.record(event)
    again = await house.client.record(event)
    page = await house.client.list_reviews(house.brand_id)

    assert stranger.state == again.state == "unchanged"
    assert page.items == ()


async def test_a_wider_no_answers_and_a_narrower_one_does_not(house: House) -> None:
    await house.add("bot2", "telegram")
    await house.say("grant")
    await house.say("grant", account="bot2")
    doubted = await writes(house, DOUBTFUL)
    await house.say("revoke", scope=Scope.ACCOUNT)
    after_narrow = await only_review(house, doubted)
    await house.say("revoke", account="bot2", scope=Scope.BRAND)

    assert after_narrow.status == "open"
    assert (await only_review(house, doubted)).decided_by == "web_form"


async def test_the_list_knows_what_is_open(house: House) -> None:
    for address in ("1", "2", "3"):
        await house.say("grant", address)
        await writes(house, DOUBTFUL, address)
    first, second, third = (await house.client.list_reviews(house.brand_id)).items
    await decide(house, second, "resume")
    still_open = await house.client.list_reviews(house.brand_id, status="open")
    decided = await house.client.list_reviews(house.brand_id, status="decided")
    page = await house.client.list_reviews(house.brand_id, after=first.seq, limit=1)

    assert [review.id for review in still_open.items] == [first.id, third.id]
    assert [review.id for review in decided.items] == [second.id]
    assert ([review.id for review in page.items], page.next) == ([second.id], second.seq)


async def test_another_brand_sees_none_of_it(house: House) -> None:
    await house.say("grant")
    doubted = await writes(house, DOUBTFUL)

    assert (await house.client.list_reviews(new_id())).items == ()
    with pytest.raises(ServiceRefused) as refused:
        await house.client.get_review(new_id(), doubted.id)
    assert refused.value.code == "unknown_review"


async def test_a_pause_that_is_asked_for_during_a_doubt_has_its_own_end(
    house: House, ends: PauseEnds, owner_database: Database
) -> None:
    await house.say("grant")
    doubted = await writes(house, DOUBTFUL)
    paused = await writes(house, "pause 10 days")
    await decide(house, await only_review(house, doubted), "resume")
    before = await house.answer()
    await let_days_pass(house, owner_database, 11)
    await until_idle(ends)

    assert paused.paused_until is not None
    assert (before, await house.answer()) == ("paused", "granted")


async def test_many_workers_end_each_pause_once(
    house: House, registry: Registry, owner_database: Database
) -> None:
    people = []
    for number in range(12):
        await house.say("grant", f"p{number}")
        words = DOUBTFUL if number % 2 else "pause 2 days"
        people.append(await writes(house, words, f"p{number}"))
    await let_days_pass(house, owner_database, 4)
    await asyncio.gather(*(until_idle(PauseEnds(registry)) for _ in range(3)))
    told = [await lines(house, each) for each in people]

    assert told == [["grant", "pause", "resume"], ["grant", "pause", "review"]] * 6
