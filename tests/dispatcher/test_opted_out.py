"""A refusal that shows a no: what the registry is told about it."""

import pytest

from services.dispatcher import aftermath
from services.dispatcher.work import Item
from shared.contracts.messages import Content, MessageIn
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig


async def refused(rig: Rig, code: str) -> Item:
    """Make a message that the platform refused with a code."""
    message_id = new_id()
    wanted = MessageIn(
        account_id=rig.account_id, address="42", purpose="service", content=Content(text="Ciao")
    )
    await rig.dispatcher.put_message(rig.brand_id, message_id, wanted)
    async with rig.desk.database.connection(rig.brand_id) as connection:
        await connection.execute(
            "UPDATE dispatcher.message SET reason = $1 WHERE id = $2", code, message_id
        )
    return Item(new_id(), rig.brand_id, "opted_out", message_id, 0)


async def reasons(rig: Rig) -> list[str]:
    return [
        answer.reason
        for purpose in ("marketing", "service")
        for answer in await rig.consent.check(
            brand_id=rig.brand_id,
            account_id=rig.account_id,
            purpose=purpose,
            addresses=["42"],
        )
    ]


@pytest.mark.parametrize(
    ("code", "answers", "action"),
    [
        ("blocked", ["blocked", "blocked"], "block"),
        ("131050", ["revoked", "granted"], "revoke"),
        ("opted_out", ["revoked", "granted"], "revoke"),
    ],
)
async def test_a_block_is_out_of_reach_and_any_other_no_is_of_marketing(
    rig: Rig, code: str, answers: list[str], action: str
) -> None:
    granted = await rig.say("grant", "42")
    await rig.say("grant", "42", purpose="service")
    item = await refused(rig, code)
    for _ in range(2):
        await aftermath.opted_out(rig.desk.database, rig.desk.consent, item)
    lines = (await rig.consent.history(rig.brand_id, granted.person_id)).items

    assert await reasons(rig) == answers
    assert [line.action for line in lines] == ["grant", "grant", action]
    assert (lines[-1].evidence.source, lines[-1].evidence.rule) == ("platform.refusal", code)
