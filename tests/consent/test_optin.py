"""A yes in a chat: two acts, and the notice between them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.consent.registry import Registry
from shared.clients.base import ServiceRefused
from shared.contracts.consent import ConsentEventIn, ConsentRecorded, Evidence, Profile, Scope
from shared.contracts.notices import NoticeIn
from shared.contracts.policy import BrandPolicy
from shared.ids import derived_id, new_id
from tests.consent.consent_house import House
from tests.postgres import Urls

WORDS = {
    "it": "{brand} ti scrive dei caffè. Per smettere: STOP",
    "en": "{brand} writes of coffee. End it with STOP",
}


def chat(house: House, action: str, **more: Any) -> ConsentEventIn:
    """What the gateway says of somebody in a chat."""
    more.setdefault("reply_id", new_id())
    return house.event(action, wants_reply=True, **more)


def link(house: House, **more: Any) -> ConsentEventIn:
    return chat(house, "grant", source="telegram.start", **more)


def words(house: House, text: str, *, source: str = "chat", at: Any = None) -> ConsentEventIn:
    evidence = Evidence(source=source, text=text, at=at, raw='{"update_id": 1}')
    return chat(house, "heard", evidence=evidence)


def tap(house: House, asked: ConsentRecorded, action: str = "confirm") -> ConsentEventIn:
    assert asked.question is not None
    evidence = Evidence(
        source="button", rule="button:permesso:yes:", platform_id="77", raw='{"update_id": 2}'
    )
    return chat(house, action, question=asked.question.id, evidence=evidence)


async def age(registry: Registry, house: House, by: timedelta) -> None:
    """Let every question of the house be older."""
    async with registry.database.connection(house.brand_id) as connection:
        await connection.execute(
            "UPDATE consent.question SET asked_at = asked_at - $1::interval", by
        )


async def history(house: House, person: ConsentRecorded) -> list[tuple[str, Evidence]]:
    told = await house.client.history(house.brand_id, person.person_id)
    return [(entry.action, entry.evidence) for entry in told.items]


async def test_a_link_is_pending_until_the_notice_is_answered(house: House) -> None:
    asked = await house.client.record(link(house))
    before = await house.answer()
    confirmed = await house.client.record(tap(house, asked))

    assert (asked.state, before) == ("pending", "pending")
    assert asked.question is not None
    assert "Aurora" in (asked.reply or "")
    assert (confirmed.state, await house.answer()) == ("granted", "granted")
    assert "STOP" in (confirmed.reply or "")
    assert confirmed.question is None


async def test_the_confirmation_tells_what_was_shown_and_how_it_was_answered(house: House) -> None:
    notice = await house.client.put_notice(house.brand_id, new_id(), NoticeIn(wordings=WORDS))
    event = link(house)
    asked = await house.client.record(event)
    await house.client.record(tap(house, asked))

    (_, _), (kind, served), (last, said) = await history(house, asked)
    assert (kind, last) == ("notice", "confirm")
    assert (
        said.wording
        == served.wording
        == asked.reply
        == "Aurora ti scrive dei caffè. Per smettere: STOP"
    )
    assert said.notice is not None
    assert said.notice.model_copy(update={"platform_id": None}) == served.notice
    assert (said.notice.id, said.notice.version) == (notice.id, "1")
    assert said.notice.digest == notice.wordings["it"].digest
    assert said.notice.event_id == derived_id(event.id, "notice")
    assert said.notice.message_id == event.reply_id
    assert said.notice.platform_id == said.platform_id == "77"
    assert said.raw == '{"update_id": 2}'


@pytest.mark.parametrize(
    ("first", "answer", "state", "reason"),
    [
        ("link", "START", "granted", "granted"),
        ("link", "sì", "granted", "granted"),
        ("link", "👍", "granted", "granted"),
        ("link", "no grazie", "revoked", "revoked"),
        ("link", "STOP", "revoked", "revoked"),
        ("link", "sì?", "unchanged", "pending"),
        ("link", "quanto costa?", "unchanged", "pending"),
        ("bare", "START", "granted", "granted"),
        ("bare", "yes", "granted", "granted"),
        ("bare", "ciao", "unchanged", "no_consent"),
        ("START", "START", "granted", "granted"),
        ("START", "ok", "granted", "granted"),
        ("nothing", "sì", "unchanged", "no_consent"),
        ("nothing", "no grazie", "unchanged", "no_consent"),
        ("nothing", "START", "pending", "pending"),
        ("STOP", "sì", "unchanged", "revoked"),
        ("STOP", "START", "pending", "pending"),
        ("confirmed", "START", "unchanged", "granted"),
        ("confirmed", "no grazie", "unchanged", "granted"),
        ("confirmed", "link", "unchanged", "granted"),
    ],
)
async def test_what_follows_from_each_answer(
    house: House, first: str, answer: str, state: str, reason: str
) -> None:
    match first:
        case "link":
            await house.client.record(link(house))
        case "bare":
            await house.client.record(link(house, purpose="service"))
        case "START":
            await house.client.record(words(house, "START"))
        case "STOP":
            await house.client.record(link(house))
            await house.client.record(words(house, "STOP"))
        case "confirmed":
            await house.client.record(tap(house, await house.client.record(link(house))))

    said = link(house) if answer == "link" else words(house, answer)
    recorded = await house.client.record(said)

    assert (recorded.state, await house.answer()) == (state, reason)


@pytest.mark.parametrize("between", ["stop", "seven days", "another version"])
async def test_an_old_button_confirms_nothing_and_asks_once_more(
    house: House, registry: Registry, between: str
) -> None:
    asked = await house.client.record(link(house))
    match between:
        case "stop":
            await house.client.record(words(house, "STOP"))
        case "seven days":
            await age(registry, house, timedelta(days=7, seconds=1))
        case _:
            await house.client.put_notice(house.brand_id, new_id(), NoticeIn(wordings=WORDS))

    before = await house.answer()
    again = await house.client.record(tap(house, asked))
    once_more = await house.client.record(tap(house, asked))

    assert (again.state, await house.answer()) == ("unchanged", before)
    assert again.reason == "question_closed"
    assert again.question is not None
    assert again.question.id != asked.question.id
    assert (once_more.state, once_more.reply) == ("unchanged", None)
    assert (await house.client.record(tap(house, again))).state == "granted"


async def test_a_question_waits_for_a_tap_for_seven_days_and_for_words_one(
    house: House, registry: Registry
) -> None:
    asked = await house.client.record(link(house))
    await age(registry, house, timedelta(days=1, seconds=1))
    late = await house.client.record(words(house, "sì"))
    await age(registry, house, timedelta(days=5, hours=23))
    tapped = await house.client.record(tap(house, asked))

    assert (late.state, tapped.state) == ("unchanged", "granted")


async def test_a_yes_that_was_said_before_the_question_is_no_answer(house: House) -> None:
    await house.client.record(link(house))
    earlier = datetime.now(UTC) - timedelta(seconds=5)

    said = await house.client.record(words(house, "sì", at=earlier))

    assert (said.state, await house.answer()) == ("unchanged", "pending")


async def test_a_yes_from_before_a_stop_never_counts(house: House) -> None:
    await house.client.record(link(house))
    await house.client.record(words(house, "STOP", at=datetime.now(UTC)))
    earlier = datetime.now(UTC) - timedelta(seconds=5)

    late_link = await house.client.record(link(house, at=earlier))
    late_start = await house.client.record(words(house, "START", at=earlier))

    assert [late_link.state, late_start.state] == ["unchanged", "unchanged"]
    assert late_link.question is None
    assert await house.answer() == "revoked"


async def test_repeats_change_nothing_and_get_the_same_answer(house: House) -> None:
    first = link(house)
    asked = await house.client.record(first)
    confirm = tap(house, asked)
    confirmed = await house.client.record(confirm)
    talk = words(house, "START")
    started = await house.client.record(talk)

    assert await house.client.record(first) == asked
    assert await house.client.record(confirm) == confirmed
    assert await house.client.record(talk) == started
    assert [kind for kind, _ in await history(house, asked)] == [
        "grant",
        "notice",
        "confirm",
        "grant",
    ]


async def test_a_start_that_confirms_may_be_repeated(house: House) -> None:
    asked = await house.client.record(link(house))
    start = words(house, "START")
    confirmed = await house.client.record(start)

    assert await house.client.record(start) == confirmed
    assert [kind for kind, _ in await history(house, asked)] == ["grant", "notice", "confirm"]


async def test_a_tapped_no_is_a_no_whenever_it_comes(house: House, registry: Registry) -> None:
    asked = await house.client.record(link(house))
    await house.client.record(tap(house, asked))
    await age(registry, house, timedelta(days=30))

    declined = await house.client.record(tap(house, asked, "decline"))

    assert (declined.state, await house.answer()) == ("revoked", "revoked")
    assert "START" in (declined.reply or "")
    assert declined.reaches


async def test_the_button_of_somebody_else_says_nothing(house: House) -> None:
    asked = await house.client.record(link(house))

    others = [
        await house.client.record(tap(house, asked, action).model_copy(update={"address": "43"}))
        for action in ("confirm", "decline")
    ]

    assert {each.state for each in others} == {"unchanged"}
    assert await house.answer("43") == "no_consent"
    assert await house.answer("42") == "pending"


async def test_a_brand_may_ask_once_and_others_are_not_asked_to_ask_twice(house: House) -> None:
    await house.client.put_policy(house.brand_id, BrandPolicy(double_opt_in=False))
    abroad = await House(house.client).open(country="DE", bot="telegram")

    for each in (house, abroad):
        started = await each.client.record(link(each))
        assert (started.state, started.question) == ("granted", None)
    await abroad.client.put_policy(abroad.brand_id, BrandPolicy(double_opt_in=True))
    assert (await abroad.client.record(link(abroad, address="7"))).state == "pending"


async def test_also_where_a_brand_asks_once_the_yes_names_the_notice_it_answers(
    house: House,
) -> None:
    await house.client.put_policy(house.brand_id, BrandPolicy(double_opt_in=False))
    asked = await house.client.record(link(house, purpose="service"))
    await house.client.record(words(house, "START"))

    *_, (kind, said) = await history(house, asked)
    assert (kind, said.wording) == ("confirm", asked.reply)


async def test_what_a_brand_records_itself_counts_at_once(house: House) -> None:
    asked = await house.client.record(link(house))

    assert (await house.say("grant")).state == "granted"
    assert await house.answer() == "granted"
    assert asked.state == "pending"


async def test_pending_is_news(house: House, start: int) -> None:
    asked = await house.client.record(link(house))
    await house.client.record(tap(house, asked))

    news = (await house.client.feed(after=start, wait=5)).items
    mine = [item.type for item in news if item.brand_id == house.brand_id]
    assert mine == ["consent.pending", "consent.granted"]


async def test_the_notice_speaks_the_persons_language(house: House) -> None:
    asked = await house.client.record(link(house, profile=Profile(language="en-GB")))

    assert (asked.reply or "").startswith("May we?")
    assert asked.question is not None
    assert (asked.question.yes, asked.question.no) == ("Yes, please", "No, thanks")


# Notices


async def test_notices_get_versions_and_never_change(house: House, urls: Urls) -> None:
    first_id, second_id = sorted((new_id(), new_id()))
    first = await house.client.put_notice(house.brand_id, first_id, NoticeIn(wordings=WORDS))
    again = await house.client.put_notice(house.brand_id, first_id, NoticeIn(wordings=WORDS))
    changed = {**WORDS, "it": "{brand}: STOP"}
    second = await house.client.put_notice(house.brand_id, second_id, NoticeIn(wordings=changed))

    assert (first.version, again, second.version) == (1, first, 2)
    listed = await house.client.notices(house.brand_id, limit=1)
    assert (listed.items, listed.next) == ((second,), second_id)
    rest = await house.client.notices(house.brand_id, after=second_id)
    assert (rest.items, rest.next) == ((first,), None)
    with pytest.raises(ServiceRefused) as refused:
        await house.client.put_notice(house.brand_id, first_id, NoticeIn(wordings=changed))
    assert (refused.value.status, refused.value.code) == (409, "id_reused")
    connection = await asyncpg.connect(urls.consent)
    try:
        await connection.execute("SELECT set_config('app.brand', $1, false)", str(house.brand_id))
        for change in ("UPDATE consent.notice SET text = ''", "DELETE FROM consent.notice"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(change)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "text", ["Posso scriverti? STOP", "{brand} ti scrive.", "{brand} STOPPA", "{brand} STOP \u202e"]
)
async def test_words_that_are_no_notice_are_refused(house: House, text: str) -> None:
    with pytest.raises(ServiceRefused) as refused:
        await house.client.put_notice(
            house.brand_id, new_id(), NoticeIn(wordings={**WORDS, "it": text})
        )

    assert refused.value.status == 422


async def test_another_brand_sees_neither_notice_nor_question(house: House) -> None:
    other = await House(house.client).open(bot="telegram")
    notice = await house.client.put_notice(house.brand_id, new_id(), NoticeIn(wordings=WORDS))
    asked = await house.client.record(link(house))

    assert (await house.client.notices(other.brand_id)).items == ()
    with pytest.raises(ServiceRefused) as refused:
        await house.client.get_notice(other.brand_id, notice.id)
    assert refused.value.status == 404
    assert (await other.client.record(tap(other, asked))).state == "unchanged"
    assert await other.answer() == "no_consent"


@pytest.mark.parametrize(
    ("answer", "state", "holds"),
    [
        ("sì", "unchanged", "pending"),
        ("ok", "unchanged", "pending"),
        ("START", "granted", "granted"),
        ("no grazie", "revoked", "revoked"),
    ],
)
async def test_a_plain_yes_after_another_question_of_ours_says_yes_to_nothing(
    house: House, answer: str, state: str, holds: str
) -> None:
    """Who is asked whether that was a stop, and says yes, has not agreed to be written to."""
    await house.say("grant", purpose="marketing.news")
    await house.client.record(link(house))
    doubted = await house.client.record(words(house, "maybe I should unsubscribe"))
    said = await house.client.record(words(house, answer))

    assert doubted.state == "paused"
    assert "START" in (doubted.reply or "")
    assert said.state == state
    found = await house.client.get_person(house.brand_id, said.person_id)
    status = {each.purpose: each.status for each in found.consents}
    assert status["marketing"] == holds


async def test_a_no_to_the_question_takes_the_place_of_a_pause(house: House) -> None:
    asked = await house.client.record(link(house))
    await house.say("pause", scope=Scope.ACCOUNT)
    declined = await house.client.record(tap(house, asked, "decline"))
    await house.say("grant")

    assert declined.state == "revoked"
    assert await house.answer() == "granted"
