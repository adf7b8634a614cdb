"""A platform's later word finds its message, whichever of them comes first."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.dispatcher import receipts
from services.dispatcher.queries import receipts as queries
from services.dispatcher.queries import settlements
from services.dispatcher.queries.settlements import Settlement
from services.dispatcher.settle import Verdict
from services.dispatcher.states import Status
from shared.contracts.messages import ReceiptIn
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig


def receipt(rig: Rig, status: str, platform_id: str = "wamid.1", **more: object) -> ReceiptIn:
    fields = {
        "id": new_id(),
        "account_id": rig.account_id,
        "platform_id": platform_id,
        "status": status,
        "at": datetime.now(UTC),
        **more,
    }
    return ReceiptIn.model_validate(fields)


async def sending(rig: Rig, *, parts: int = 1, part: int = 0) -> UUID:
    """A message in flight."""
    await rig.grant("1")
    campaign = await rig.campaign()
    await rig.step(campaign, "launch")
    await rig.work()
    [row] = await rig.sql(
        "UPDATE dispatcher.message SET status = 'sending', attempt_id = $1, parts = $2, part = $3,"
        " attempts = 1 RETURNING id",
        new_id(),
        parts,
        part,
    )
    return row["id"]


async def settle(
    rig: Rig, message_id: UUID, *, status: str = "sent", platform_id: str = "wamid.1"
) -> None:
    """What the settler does, on a channel that tells receipts."""
    async with settling(rig, message_id, status=status, platform_id=platform_id):
        pass
    await look(rig, platform_id)


@asynccontextmanager
async def settling(
    rig: Rig, message_id: UUID, *, status: str = "sent", platform_id: str = "wamid.1"
) -> AsyncIterator[None]:
    """A settlement that is committed when the block ends."""
    [row] = await rig.sql("SELECT day, campaign_id, attempt_id, part FROM dispatcher.message")
    settlement = Settlement(
        account_id=rig.account_id,
        campaign_id=row["campaign_id"],
        message_id=message_id,
        attempt_id=row["attempt_id"],
        part=row["part"],
        verdict=Verdict("sent", Status(status), advance=True),
        started_at=time.time(),
        platform_ids=(platform_id,),
        answered=True,
    )
    async with rig.desk.database.connection(rig.brand_id) as connection:
        await settlements.settle(
            connection,
            brand_id=rig.brand_id,
            day=row["day"],
            settlements=[settlement],
            at=datetime.now(UTC),
        )
        yield


async def look(rig: Rig, platform_id: str = "wamid.1") -> None:
    """What the settler does afterwards."""
    await receipts.look_for_early(rig.desk.database, rig.brand_id, [(rig.account_id, platform_id)])


async def state(rig: Rig, message_id: UUID) -> str:
    return (await rig.dispatcher.get_message(rig.brand_id, message_id)).status


async def test_a_receipt_after_the_settlement_moves_the_message_on(rig: Rig) -> None:
    message_id = await sending(rig)
    await settle(rig, message_id)

    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "delivered")])
    delivered = await state(rig, message_id)
    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "read"), receipt(rig, "sent")])

    message = await rig.dispatcher.get_message(rig.brand_id, message_id)
    assert delivered == "delivered"
    assert message.status == "read"
    assert sorted(r.status for r in message.receipts) == ["delivered", "read", "sent"]
    assert message.attempts[0].platform_ids == ("wamid.1",)


async def test_a_receipt_before_the_settlement_is_kept_and_matched(rig: Rig) -> None:
    message_id = await sending(rig)

    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "delivered")])
    before = await state(rig, message_id)
    await settle(rig, message_id)

    assert before == "sending"
    assert await state(rig, message_id) == "delivered"
    [told] = await rig.events("message.delivered")
    assert told.data["message_id"] == str(message_id)
    assert told.data["address"] == "1"


async def test_a_receipt_that_sees_no_settlement_yet_is_found_by_it(rig: Rig) -> None:
    """And does not wait for its commit."""
    message_id = await sending(rig)
    async with settling(rig, message_id):
        await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "read")])
    before = await state(rig, message_id)
    await look(rig)

    assert before == "sent"
    assert await state(rig, message_id) == "read"
    assert len(await rig.events("message.read")) == 1


async def test_a_receipt_that_the_settlement_does_not_see_yet_finds_it_itself(rig: Rig) -> None:
    message_id = await sending(rig)
    came = receipt(rig, "read")
    async with rig.desk.database.connection(rig.brand_id) as storing:
        await queries.store(
            storing, brand_id=rig.brand_id, account_id=rig.account_id, receipts=[came]
        )
        await settle(rig, message_id)
        before = await state(rig, message_id)
    # What follows the commit, as after a crash: the repeat stores nothing new.
    await rig.dispatcher.receipts(rig.brand_id, [came])

    assert before == "sent"
    assert await state(rig, message_id) == "read"


@pytest.mark.parametrize("attempt", range(8))
async def test_both_at_once_always_find_each_other(rig: Rig, attempt: int) -> None:
    message_id = await sending(rig)

    await asyncio.gather(
        settle(rig, message_id),
        rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "read")]),
    )

    assert await state(rig, message_id) == "read"


async def test_a_repeat_of_a_receipt_changes_nothing(rig: Rig) -> None:
    message_id = await sending(rig)
    await settle(rig, message_id)
    came = receipt(rig, "delivered")

    for _ in range(3):
        await rig.dispatcher.receipts(rig.brand_id, [came])

    assert await state(rig, message_id) == "delivered"
    assert len(await rig.events("message.delivered")) == 1
    assert len(await rig.sql("SELECT 1 FROM dispatcher.receipt")) == 1


async def test_a_refusal_after_the_delivery_is_not_believed(rig: Rig) -> None:
    message_id = await sending(rig)
    await settle(rig, message_id)
    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "delivered")])

    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "refused", code="131049")])

    assert await state(rig, message_id) == "delivered"


async def test_a_refusal_says_why(rig: Rig) -> None:
    message_id = await sending(rig)
    await settle(rig, message_id)

    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "refused", code="131049")])

    message = await rig.dispatcher.get_message(rig.brand_id, message_id)
    assert (message.status, message.reason) == ("refused", "131049")
    assert [e.data["reason"] for e in await rig.events("message.refused")] == ["131049"]


async def test_what_was_refused_and_sent_once_more_is_not_refused_by_the_old_word(
    rig: Rig,
) -> None:
    message_id = await sending(rig)
    await settle(rig, message_id)
    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "refused", code="131049")])
    refused = await state(rig, message_id)
    await rig.sql(
        "UPDATE dispatcher.message SET status = 'sending', part = 0, attempt_id = $1", new_id()
    )
    await settle(rig, message_id, platform_id="wamid.2")
    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "sent", "wamid.2")])
    sent = await state(rig, message_id)
    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "delivered", "wamid.2")])

    assert (refused, sent) == ("refused", "sent")
    assert await state(rig, message_id) == "delivered"


async def test_what_was_unknown_becomes_known(rig: Rig) -> None:
    message_id = await sending(rig)
    await settle(rig, message_id)
    await rig.sql("UPDATE dispatcher.message SET status = 'unknown'")

    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "sent")])

    assert await state(rig, message_id) == "sent"


async def test_the_word_about_a_first_part_is_not_about_the_message(rig: Rig) -> None:
    message_id = await sending(rig, parts=2)
    await settle(rig, message_id, status="queued")
    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "read")])
    after_one = await state(rig, message_id)
    await rig.sql("UPDATE dispatcher.message SET status = 'sending', attempt_id = $1", new_id())
    await settle(rig, message_id, platform_id="wamid.2")
    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "delivered", "wamid.2")])

    assert after_one == "queued"
    assert await state(rig, message_id) == "delivered"


async def test_a_receipt_of_another_account_or_brand_matches_nothing(rig: Rig) -> None:
    message_id = await sending(rig)
    await settle(rig, message_id)
    other = await rig.add_account(credentials={"token": "77:other"})

    await rig.dispatcher.receipts(rig.brand_id, [receipt(rig, "read", account_id=other)])
    await rig.dispatcher.receipts(new_id(), [receipt(rig, "read")])

    assert await state(rig, message_id) == "sent"
