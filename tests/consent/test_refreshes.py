"""Before a consent runs out it is said, once, and the question can be fetched while it holds."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.consent.expiring import Expiring, refresh_id
from services.consent.expiry import Expiry
from services.consent.registry import Registry
from shared.clients.base import ServiceRefused
from shared.contracts.consent import ConsentRecorded, Evidence, Profile
from shared.contracts.erasures import EraseIn
from shared.contracts.merges import MergeIn
from shared.contracts.notices import NoticeIn
from shared.contracts.policy import BrandPolicy
from shared.contracts.refreshes import Refresh
from shared.ids import derived_id, new_id
from tests.consent.consent_house import House
from tests.consent.test_ends import chat, state, tapped
from tests.turning import let_pass

DAY = timedelta(days=1)
RULES = BrandPolicy(expires_after_days={"marketing": 100})
PURPOSES = ["marketing", "marketing.events"]


@pytest.fixture
async def ending(house: House) -> House:
    """A house in which a yes to marketing is good for 100 days, and asked about after 70."""
    await house.client.put_policy(house.brand_id, RULES)
    return house


async def look(registry: Registry) -> None:
    """Say what will run out, until nothing is left to say."""
    worker = Expiring(registry)
    while await worker.step():
        pass


async def after(registry: Registry, house: House, days: float) -> None:
    await let_pass(registry.database, house.brand_id, days * DAY)
    await look(registry)


async def news(house: House, start: int) -> list[Any]:
    items = (await house.client.feed(after=start)).items
    return [each for each in items if each.brand_id == house.brand_id]


async def expiring(house: House, start: int) -> list[Any]:
    return [each for each in await news(house, start) if each.type == "consent.expiring"]


async def ask(house: House, granted: ConsentRecorded, message_id: Any = None) -> Refresh:
    return await house.client.ask_refresh(
        house.brand_id, refresh_id(granted.id), message_id=message_id or new_id()
    )


async def actions(house: House, granted: ConsentRecorded) -> list[str]:
    told = await house.client.history(house.brand_id, granted.person_id)
    return [entry.action for entry in told.items]


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_it_is_said_in_time_with_the_end(
    ending: House, registry: Registry, start: int, purpose: str
) -> None:
    granted = await ending.say("grant", purpose=purpose)
    await after(registry, ending, 69)
    early = await expiring(ending, start)
    await after(registry, ending, 2)
    (told,) = await expiring(ending, start)
    held = await state(ending, purpose=purpose)

    assert early == []
    assert told.event_id == refresh_id(granted.id)
    assert told.at > granted.effective_at
    assert told.data["purposes"] == [purpose]
    assert told.data["address"] == "42"
    assert held.expires_at is not None
    assert told.data["expires_at"] == held.expires_at.isoformat()
    assert await ending.answer(purpose=purpose) == "granted"
    assert await actions(ending, granted) == ["grant", "refresh"]


async def test_many_workers_say_it_once(ending: House, registry: Registry, start: int) -> None:
    people = [await ending.say("grant", f"p{n}") for n in range(20)]
    await let_pass(registry.database, ending.brand_id, 71 * DAY)
    await asyncio.gather(*(look(registry) for _ in range(3)))
    await look(registry)

    told = await expiring(ending, start)
    assert {each.event_id for each in told} == {refresh_id(person.id) for person in people}
    assert len(told) == 20


async def test_a_crash_before_the_commit_repeats_and_doubles_nothing(
    ending: House, registry: Registry, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ending.say("grant")
    await let_pass(registry.database, ending.brand_id, 71 * DAY)

    async def die(*args: Any, **more: Any) -> None:
        raise ConnectionResetError("the power went off before the commit")

    with monkeypatch.context() as crash:
        crash.setattr("services.consent.expiring.tell", die)
        with pytest.raises(ConnectionResetError):
            await look(registry)
    before = await expiring(ending, start)
    await look(registry)

    assert (before, len(await expiring(ending, start))) == ([], 1)


@pytest.mark.parametrize(
    "rules",
    [
        BrandPolicy(expires_after_days={"marketing": 100}, refresh_days=None),
        BrandPolicy(expires_after_days={"marketing": 100}, refresh_days=0),
        BrandPolicy(),
    ],
)
async def test_a_brand_that_asks_nobody_says_nothing(
    house: House, registry: Registry, start: int, rules: BrandPolicy
) -> None:
    await house.client.put_policy(house.brand_id, rules)
    await house.say("grant")
    await house.say("grant", "43", purpose="service")
    await after(registry, house, 90)

    assert await expiring(house, start) == []


async def test_the_rules_of_the_moment_decide(
    ending: House, registry: Registry, start: int
) -> None:
    await ending.say("grant")
    await ending.client.put_policy(ending.brand_id, RULES.model_copy(update={"refresh_days": 10}))
    await after(registry, ending, 80)
    early = await expiring(ending, start)
    await after(registry, ending, 11)

    assert (early, len(await expiring(ending, start))) == ([], 1)


@pytest.mark.parametrize("meanwhile", ["revoke", "grant", "end", "block"])
async def test_what_ended_or_was_renewed_meanwhile_is_not_asked_about(
    ending: House, registry: Registry, start: int, meanwhile: str
) -> None:
    granted = await ending.say("grant")
    if meanwhile == "end":
        await let_pass(registry.database, ending.brand_id, 101 * DAY)
        await Expiry(registry).step()
    else:
        await let_pass(registry.database, ending.brand_id, 71 * DAY)
        await ending.say(meanwhile)
    await look(registry)

    assert await expiring(ending, start) == []
    assert "refresh" not in await actions(ending, granted)


async def test_who_paused_is_asked_when_the_pause_ends(
    ending: House, registry: Registry, start: int
) -> None:
    granted = await ending.say("grant")
    await let_pass(registry.database, ending.brand_id, 65 * DAY)
    until = granted.effective_at + 20 * DAY
    await ending.say("pause", until=until)
    await after(registry, ending, 6)
    paused = await expiring(ending, start)
    await after(registry, ending, 15)

    assert (paused, len(await expiring(ending, start))) == ([], 1)


async def test_who_is_in_doubt_is_looked_at_once_a_day(
    ending: House, registry: Registry, start: int
) -> None:
    granted = await ending.say("grant")
    await let_pass(registry.database, ending.brand_id, 71 * DAY)
    doubts = Evidence(source="chat", text="maybe I should unsubscribe")
    await ending.say("heard", evidence=doubts)
    worker = Expiring(registry)
    steps = [await worker.step() for _ in range(3)]
    await let_pass(registry.database, ending.brand_id, DAY)
    steps.append(await worker.step())
    review = (await ending.client.list_reviews(ending.brand_id)).items[0]
    resumed = ending.event("resume", review_id=review.id, evidence=Evidence(source="desk"))
    await ending.client.record(resumed)
    await after(registry, ending, 1)

    assert steps[1:] == [0, 0, 1]
    assert len(await expiring(ending, start)) == 1
    assert (await actions(ending, granted))[-1] == "refresh"


async def test_the_question_says_since_and_until_when_and_how_to_end_it(
    ending: House, registry: Registry
) -> None:
    granted = await ending.say("grant", profile=Profile(language="de"))
    await after(registry, ending, 71)
    held = await state(ending)
    message_id = new_id()
    asked = await ask(ending, granted, message_id)
    line = (await ending.client.history(ending.brand_id, granted.person_id)).items[-1]

    assert held.expires_at is not None
    assert asked.language == "de"
    assert f"{held.since.day}. " in asked.words
    assert f"{held.expires_at.year}" in asked.words
    for part in ("Aurora", "START", "STOP"):
        assert part in asked.words
    assert (asked.address, asked.purpose) == ("42", "marketing")
    assert (asked.question.yes, asked.question.no) == ("Ja, gern", "Nein, danke")
    assert line.action == "notice"
    assert (line.id, line.evidence.wording) == (asked.question.id, asked.words)
    assert line.evidence.notice is not None
    assert line.evidence.notice.message_id == message_id


async def test_whose_language_nobody_knows_is_asked_in_the_brands(
    ending: House, registry: Registry
) -> None:
    granted = await ending.say("grant")
    await after(registry, ending, 71)
    asked = await ask(ending, granted)

    assert (asked.language, asked.question.yes) == ("it", "Sì, va bene")
    assert asked.words.startswith("In data ")


async def test_a_brands_own_notice_stands_below_the_line(ending: House, registry: Registry) -> None:
    words = {"en": "{brand} writes of coffee. End it with STOP"}
    notice = await ending.client.put_notice(ending.brand_id, new_id(), NoticeIn(wordings=words))
    granted = await ending.say("grant", profile=Profile(language="fr"))
    await after(registry, ending, 71)
    asked = await ask(ending, granted)
    line = (await ending.client.history(ending.brand_id, granted.person_id)).items[-1]

    first, below = asked.words.split("\n\n")
    assert first.startswith("Le ")
    assert below == "Aurora writes of coffee. End it with STOP"
    assert line.evidence.notice is not None
    assert (line.evidence.notice.id, line.evidence.notice.version) == (notice.id, "1")
    assert (
        await chat(
            ending, "confirm", evidence=Evidence(source="button"), question=asked.question.id
        )
    ).state == "granted"


async def test_a_repeat_gets_the_words_of_then_and_one_line(
    ending: House, registry: Registry
) -> None:
    granted = await ending.say("grant")
    await after(registry, ending, 71)
    first = await ask(ending, granted)
    await ending.client.put_notice(
        ending.brand_id, new_id(), NoticeIn(wordings={"it": "{brand}: STOP"})
    )
    again = await asyncio.gather(*(ask(ending, granted) for _ in range(3)))

    assert again == [first] * 3
    assert await actions(ending, granted) == ["grant", "refresh", "notice"]


@pytest.mark.parametrize(
    "meanwhile", ["STOP", "pause", "renewed", "ended", "blocked", "erased", "never"]
)
async def test_nothing_is_served_when_the_consent_cannot_be_used(
    ending: House, registry: Registry, meanwhile: str
) -> None:
    granted = await ending.say("grant")
    await after(registry, ending, 71)
    match meanwhile:
        case "STOP" | "pause":
            await chat(ending, text=meanwhile)
        case "renewed":
            await ending.say("grant")
        case "ended":
            await let_pass(registry.database, ending.brand_id, 40 * DAY)
        case "blocked":
            await ending.say("block")
        case "erased":
            order = EraseIn(id=new_id(), by="person")
            await ending.client.erase(ending.brand_id, granted.person_id, order)
        case _:
            never = RULES.model_copy(update={"refresh_days": None})
            await ending.client.put_policy(ending.brand_id, never)

    with pytest.raises(ServiceRefused) as refusal:
        await ask(ending, granted)

    assert (refusal.value.status, refusal.value.code) == (409, "refresh_over")
    if meanwhile != "erased":
        assert "notice" not in await actions(ending, granted)


@pytest.mark.parametrize("what", ["grant", "nothing"])
async def test_what_is_no_refresh_is_not_found(ending: House, what: str) -> None:
    granted = await ending.say("grant")
    event_id = granted.id if what == "grant" else new_id()

    with pytest.raises(ServiceRefused) as refusal:
        await ending.client.ask_refresh(ending.brand_id, event_id, message_id=new_id())

    assert refusal.value.code == "unknown_event"


async def served(ending: House, registry: Registry) -> tuple[ConsentRecorded, Refresh]:
    granted = await ending.say("grant")
    await after(registry, ending, 71)
    return granted, await ask(ending, granted)


@pytest.mark.parametrize(
    ("days", "answer", "state_after", "reason"),
    [
        (28, "tap", "granted", "granted"),
        (28, "START", "granted", "granted"),
        (0.9, "sì", "granted", "granted"),
        (1.1, "sì", "unchanged", "granted"),
        (28, "tapped no", "revoked", "revoked"),
        (0.9, "no grazie", "revoked", "revoked"),
        (28, "STOP", "revoked", "revoked"),
    ],
)
async def test_an_answer_counts_until_the_consent_ends(
    ending: House,
    registry: Registry,
    days: float,
    answer: str,
    state_after: str,
    reason: str,
) -> None:
    granted, asked = await served(ending, registry)
    await let_pass(registry.database, ending.brand_id, days * DAY)
    button = Evidence(source="button")
    match answer:
        case "tap":
            said = await chat(ending, "confirm", evidence=button, question=asked.question.id)
        case "tapped no":
            said = await chat(ending, "decline", evidence=button, question=asked.question.id)
        case _:
            said = await chat(ending, text=answer)

    assert (said.state, await ending.answer()) == (state_after, reason)
    if state_after == "granted":
        held = await state(ending)
        last = (await ending.client.history(ending.brand_id, granted.person_id)).items[-1]
        assert held.expires_at == held.since + 100 * DAY
        assert (last.action, last.evidence.wording) == ("confirm", asked.words)
        assert last.evidence.notice is not None
        assert last.evidence.notice.event_id == asked.question.id


async def test_a_second_tap_changes_nothing(ending: House, registry: Registry) -> None:
    granted, asked = await served(ending, registry)
    for _ in range(2):
        said = await chat(
            ending, "confirm", evidence=Evidence(source="button"), question=asked.question.id
        )

    assert (said.reason, said.question) == ("already_granted", None)
    assert (await actions(ending, granted)).count("confirm") == 2


async def test_silence_ends_it_and_nothing_more_is_asked(
    ending: House, registry: Registry, start: int
) -> None:
    _, asked = await served(ending, registry)
    await after(registry, ending, 30)
    await Expiry(registry).step()
    await after(registry, ending, 200)
    late = await chat(
        ending, "confirm", evidence=Evidence(source="button"), question=asked.question.id
    )

    kinds = [each.type for each in await news(ending, start)]
    assert kinds == ["consent.granted", "consent.expiring", "consent.expired"]
    assert await ending.answer() == "expired"
    # Whoever answers all the same is asked anew, and that answer counts.
    assert (late.state, late.reason) == ("unchanged", "question_closed")
    assert (await tapped(ending, late)).state == "granted"


async def test_a_renewed_yes_is_asked_about_in_its_own_time(
    ending: House, registry: Registry, start: int
) -> None:
    _, asked = await served(ending, registry)
    await chat(ending, "confirm", evidence=Evidence(source="button"), question=asked.question.id)
    await after(registry, ending, 69)
    early = len(await expiring(ending, start))
    await after(registry, ending, 2)

    assert (early, len(await expiring(ending, start))) == (1, 2)


async def test_an_answer_to_older_words_asks_once_more(ending: House, registry: Registry) -> None:
    _, asked = await served(ending, registry)
    words = {"it": "{brand} scrive d'altro. Per smettere: STOP"}
    await ending.client.put_notice(ending.brand_id, new_id(), NoticeIn(wordings=words))
    button = Evidence(source="button")
    before = await state(ending)
    late = await chat(ending, "confirm", evidence=button, question=asked.question.id)
    meanwhile = await state(ending)
    renewed = await tapped(ending, late)

    assert (late.reason, meanwhile) == ("question_closed", before)
    assert (renewed.state, (await state(ending)).since > before.since) == ("granted", True)


async def test_a_merge_takes_the_refresh_along(ending: House, registry: Registry) -> None:
    granted = await ending.say("grant")
    other = await ending.say("seen", "43")
    await after(registry, ending, 71)
    order = MergeIn(
        id=new_id(),
        brand_id=ending.brand_id,
        kept_id=other.person_id,
        gone_id=granted.person_id,
        evidence=Evidence(source="support_desk"),
    )
    await ending.client.merge(order)
    asked = await ask(ending, granted)
    again = await ask(ending, granted)

    assert asked == again
    assert asked.person_id == other.person_id
    assert asked.question.id == derived_id(refresh_id(granted.id), "notice")
    assert (await tapped_on(ending, asked)).state == "granted"


async def tapped_on(house: House, asked: Refresh) -> ConsentRecorded:
    return await chat(
        house, "confirm", evidence=Evidence(source="button"), question=asked.question.id
    )


async def test_erasure_leaves_no_refresh_behind(ending: House, registry: Registry) -> None:
    granted = await ending.say("grant")
    order = EraseIn(id=new_id(), by="person")
    await ending.client.erase(ending.brand_id, granted.person_id, order)
    async with registry.database.connection(ending.brand_id) as connection:
        left = await connection.fetchval(
            "SELECT count(*) FROM consent.expiry WHERE brand_id = $1", ending.brand_id
        )

    assert left == 0


@pytest.mark.parametrize(
    ("action", "state_after", "reason"),
    [("confirm", "unchanged", "granted"), ("decline", "revoked", "revoked")],
)
async def test_after_a_merge_a_no_still_counts_and_a_yes_is_asked_anew(
    ending: House, registry: Registry, action: str, state_after: str, reason: str
) -> None:
    granted, asked = await served(ending, registry)
    other = await ending.say("seen", "43")
    order = MergeIn(
        id=new_id(),
        brand_id=ending.brand_id,
        kept_id=other.person_id,
        gone_id=granted.person_id,
        evidence=Evidence(source="support_desk"),
    )
    await ending.client.merge(order)
    button = Evidence(source="button")
    said = await chat(ending, action, evidence=button, question=asked.question.id)

    assert (said.state, await ending.answer()) == (state_after, reason)
    if action == "confirm":
        assert (await tapped(ending, said)).state == "granted"


async def test_a_late_tap_on_a_topic_is_asked_about_that_topic(
    ending: House, registry: Registry
) -> None:
    granted = await ending.say("grant", purpose="marketing.events")
    await after(registry, ending, 71)
    asked = await ask(ending, granted)
    await after(registry, ending, 30)
    button = Evidence(source="button")
    late = await chat(ending, "confirm", evidence=button, question=asked.question.id)
    renewed = await tapped(ending, late)

    assert (late.state, renewed.state) == ("unchanged", "granted")
    assert await ending.answer(purpose="marketing.events") == "granted"
    assert await ending.answer() == "no_consent"
