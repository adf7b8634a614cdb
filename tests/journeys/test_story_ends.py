"""Journey B goes on: a story of a day is over, and leaves the phones; an old one says so."""

from typing import Any

import pytest

from shared.database import Database
from tests.journeys.test_story_to_phone import story

DAY = 86_400
_TURNED = {
    "attempt": "settled_at = settled_at - make_interval(secs => $2)",
    "message": "updated_at = updated_at - make_interval(secs => $2)",
    "taking_back": "over_at = over_at - make_interval(secs => $2),"
    " due_at = due_at - make_interval(secs => $2)",
}


async def let_pass(house: Any, database: Database, seconds: float) -> None:
    """Let time pass: the platform's clock is turned by its control side, ours in the rows."""
    answer = await house.api.post(
        f"{house.sandbox_url}/control/time", json={"advance_seconds": seconds}
    )
    assert answer.is_success, answer.text
    async with database.connection(house.brand_id) as connection:
        for table, turned in _TURNED.items():
            await connection.execute(
                f"UPDATE dispatcher.{table} SET {turned} WHERE brand_id = $1",
                house.brand_id,
                seconds,
            )
        await connection.execute(
            "UPDATE dispatcher.work SET due_at = due_at - make_interval(secs => $1)"
            " WHERE kind IN ('end', 'take_back')",
            seconds,
        )


async def ended(house: Any, campaign: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def over() -> bool:
        nonlocal found
        found = (await house.call("GET", f"/v1/campaigns/{campaign}"))["ending"]
        return found["ended_at"] is not None

    await house.until(over, within=60)
    return found


@pytest.mark.parametrize(
    ("days", "outcome", "left"),
    [(1, "deleted", []), (3, "replaced", ["Questa storia è finita."] * 2)],
)
async def test_a_story_that_is_over_leaves_the_phones_or_says_so(
    house: Any, dispatcher_database: Database, days: int, outcome: str, left: list[str]
) -> None:
    people = await house.people(4)
    told = {**await story(house), "expires_after": days * DAY}
    made = await house.call("POST", "/v1/stories", json=told)
    campaign = await house.campaign(told)
    totals = await house.finished(campaign)
    before = (await house.call("GET", f"/v1/campaigns/{campaign}"))["ending"]
    house.say(people[0], "Grazie!")
    await let_pass(house, dispatcher_database, days * DAY - 600)
    kept = [len(house.shown(address)) for address in people]
    await let_pass(house, dispatcher_database, 600)
    report = await ended(house, campaign)
    events = await house.call("GET", "/v1/events?type=campaign.ended")

    warned = {f["code"] for f in made["findings"] if f["channel"] == "telegram"}
    assert ("ends_in_words" in warned) == (days > 2)
    assert (before["waiting"], before["ended_at"]) == (0, None)
    assert min(kept) >= 4
    assert report[outcome] == totals["sent"] == 4
    assert report["kept"] == {}
    assert [event["data"]["campaign_id"] for event in events["items"]] == [campaign]
    for address in people[1:]:
        assert [m["text"] for m in house.shown(address) if m["text"]] == left
        assert not any(m["buttons"] for m in house.shown(address))
    assert "Grazie!" in str(house.telegram.phone(people[0]))
    assert await house.totals(campaign) == totals
