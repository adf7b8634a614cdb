"""Several stories in one campaign: who gets which follows from the person, and is counted."""

from collections import Counter
from uuid import UUID, uuid4

import pytest

from services.dispatcher import expand
from services.dispatcher.parts import Parts
from services.dispatcher.queries.slips import Cursor, claim
from services.dispatcher.shares import shares_of
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig

TWO = [{"name": "a", "weight": 3}, {"name": "b", "weight": 1}]


def test_shares_are_as_large_as_their_weights() -> None:
    shares = shares_of(new_id(), 0.2, TWO)

    drawn = Counter(shares.of(uuid4()) for _ in range(20_000))

    assert [shares.variant(share) for share in range(3)] == [None, "a", "b"]
    assert [shares.held_out(share) for share in range(3)] == [True, False, False]
    # 20 %, and of the rest 75 % and 25 %; 20,000 draws stray by less than 300.
    assert abs(drawn[0] - 4_000) < 300
    assert abs(drawn[1] - 12_000) < 300
    assert abs(drawn[2] - 4_000) < 300


def test_a_person_is_always_in_the_same_share_of_a_campaign_and_in_another_of_the_next() -> None:
    people = [uuid4() for _ in range(200)]
    one, again, other = (shares_of(key, 0.0, TWO) for key in (UUID(int=1), UUID(int=1), uuid4()))

    assert [one.of(person) for person in people] == [again.of(person) for person in people]
    assert [one.of(person) for person in people] != [other.of(person) for person in people]


def test_the_hold_out_does_not_change_with_the_variants() -> None:
    key, people = uuid4(), [uuid4() for _ in range(200)]
    plain, split = shares_of(key, 0.3, []), shares_of(key, 0.3, TWO)

    assert [plain.held_out(plain.of(p)) for p in people] == [
        split.held_out(split.of(p)) for p in people
    ]


def test_without_either_nobody_is_split() -> None:
    shares = shares_of(new_id(), 0.0, [])

    assert (shares.single, shares.of(uuid4()), shares.variant(0)) == (True, 0, None)


async def split(rig: Rig, **fields: object):
    """A campaign of two stories, one of them in two languages."""
    english = {"en": {"frames": [{"text": "One"}, {"text": "Two"}]}}
    stories = [
        await rig.story(title="A", frames=[{"text": "Prima"}]),
        await rig.story(title="B", frames=[{"text": "Seconda"}], variants=english),
    ]
    variants = [
        {"name": name, "story_id": story.id} for name, story in zip("ab", stories, strict=True)
    ]
    return await rig.campaign(story_id=None, **{"variants": variants, **fields})


async def test_each_person_gets_one_story_on_all_accounts_whatever_the_pages(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expand, "FIRST_PAGE", 3)
    monkeypatch.setattr(expand, "PAGE", 4)
    people = [str(n) for n in range(1, 41)]
    await rig.grant(*people)
    other = await rig.add_account(credentials={"token": "77:other"})
    for address in people:
        await rig.say("grant", address, account_id=other)
    campaign = await split(rig, hold_out=0.25)
    await rig.step(campaign, "launch")

    await rig.work()

    found = await rig.read(campaign)
    messages = await rig.messages(campaign)
    of_person: dict[str, set[object]] = {}
    for message in messages:
        of_person.setdefault(message.address, set()).add((message.status, message.variant))
    assert all(len(each) == 1 for each in of_person.values())
    held = sum(each == {("withheld", None)} for each in of_person.values())
    counted = Counter(message.variant for message in messages if message.status == "queued")
    assert held > 0
    assert min(counted["a"], counted["b"]) > 0
    assert found.totals.withheld == {"hold_out": 2 * held}
    assert found.totals.accepted == 80
    assert {name: each.queued for name, each in found.variant_totals.items()} == dict(counted)
    assert {name: each.accepted for name, each in found.variant_totals.items()} == dict(counted)


async def test_what_each_variant_says_is_frozen_at_the_launch(rig: Rig) -> None:
    people = [str(n) for n in range(1, 13)]
    await rig.grant(*people, language="en")
    campaign = await split(rig)
    await rig.step(campaign, "launch")
    for each in campaign.variants:
        await rig.http.patch(
            rig.path("stories", each.story_id), json={"frames": [{"text": "Altro"}], "variants": {}}
        )
    await rig.work()
    parts = Parts(rig.desk.database)
    async with rig.desk.database.connection(rig.brand_id) as connection:
        await connection.execute("UPDATE dispatcher.lane SET epoch = 1")
        taken = await claim(
            connection,
            brand_id=rig.brand_id,
            account_id=rig.account_id,
            queue_id=campaign.id,
            epoch=1,
            limit=20,
            cursor=Cursor(),
        )
    claimed = taken.messages

    words = {m.variant: str(await parts.of(rig.brand_id, rig.account_id, m)) for m in claimed}
    content = await rig.dispatcher.get_content(rig.brand_id, claimed[0].id)

    assert {(m.variant, m.language) for m in claimed} == {("a", "it"), ("b", "en")}
    assert "Prima" in words["a"]
    assert "One" in words["b"]
    stories = {each.name: each.story_id for each in campaign.variants}
    assert content.story_id == stories[claimed[0].variant]
    assert content.parts


async def test_a_story_of_a_variant_is_not_deleted_while_its_campaign_is_on_its_way(
    rig: Rig,
) -> None:
    campaign = await split(rig, send_at="2036-01-01T00:00:00Z")
    await rig.step(campaign, "launch")

    answer = await rig.http.delete(rig.path("stories", campaign.variants[1].story_id))

    assert (answer.status_code, answer.json()["code"]) == (409, "story_in_use")


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"variants": []}, ""),
        ({"variants": ["a"]}, ""),
        ({"variants": ["a", "a"]}, ""),
        ({"variants": ["a", "b"], "story_id": True}, ""),
        ({"variants": ["a", "B!"]}, "/variants/1/name"),
        ({"variants": ["a", "b"], "nowhere": True}, "/variants/0/story_id"),
        ({"variants": ["a", "b"], "hold_out": 1}, "/hold_out"),
        ({"variants": ["a", "b"], "live_until": "2036-01-01T00:00:00Z"}, ""),
        (
            {"variants": ["a", "b"], "recipients": "live", "live_until": "2006-01-01T00:00:00Z"},
            "/live_until",
        ),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(
    rig: Rig, wrong: dict[str, object], pointer: str
) -> None:
    story_id = str((await rig.story()).id)
    told = str(new_id()) if wrong.pop("nowhere", False) else story_id
    body: dict[str, object] = {
        "name": "Lancio",
        "account_ids": [str(rig.account_id)],
        "audience": {"everyone": True},
        **wrong,
        "variants": [{"name": name, "story_id": told} for name in wrong["variants"]],
    }
    if body.get("story_id"):
        body["story_id"] = story_id

    answer = await rig.http.put(rig.path("campaigns", new_id()), json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
