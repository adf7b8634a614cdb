"""Checkpoints reach the witness, and who waits for it is nobody."""

from collections.abc import AsyncIterator

import pytest

from services.consent.notary import Notary
from services.dispatcher import feed
from services.dispatcher.feed import FeedFollower
from services.dispatcher.witness import Witness
from shared.ledger.notes import Checkpoint, open_note
from shared.security.addresses import ForbiddenAddress
from tests.dispatcher.desk_rig import Rig, a_rig
from tests.dispatcher.receiver import Receiver, a_receiver
from tests.postgres import Urls


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as opened:
        yield opened


@pytest.fixture
async def rig(urls: Urls, receiver: Receiver) -> AsyncIterator[Rig]:
    """Both services, and a witness that may be called."""
    async with a_rig(urls, allowed=(receiver.url.split("/")[2],)) as opened:
        await opened.open_brand()
        yield opened


def witness_of(rig: Rig, receiver: Receiver) -> Witness:
    return Witness(rig.desk.database, rig.desk.consent, rig.desk.callbacks, url=receiver.url)


def heads(rig: Rig, receiver: Receiver) -> list[Checkpoint]:
    """What the witness has, each signed by the brand's log."""
    key = rig.registry.signers.of(rig.brand_id).key
    return [Checkpoint.parse(open_note(each.body.decode(), [key])) for each in receiver.came]


async def notarise(rig: Rig) -> None:
    """Sign what is new, and tell it however short ago the last one was told."""
    async with rig.registry.database.connection() as connection:
        await connection.execute("UPDATE consent.log_head SET due_at = now()")
    await Notary(rig.registry).step()


async def test_a_witness_gets_what_was_signed_once(rig: Rig, receiver: Receiver) -> None:
    witness = witness_of(rig, receiver)
    await rig.say("grant", "1")
    await notarise(rig)
    first = await witness.step()
    await rig.say("revoke", "1")
    await notarise(rig)
    second, third = await witness.step(), await witness.step()

    assert (first > 0, second > 0, third) == (True, True, 0)
    assert [head.size for head in heads(rig, receiver)] == [1, 2]


async def test_of_many_checkpoints_the_newest_is_enough(rig: Rig, receiver: Receiver) -> None:
    for turn in range(3):
        await rig.say(("grant", "revoke")[turn % 2], "1")
        await notarise(rig)
    await witness_of(rig, receiver).step()

    assert [head.size for head in heads(rig, receiver)] == [3]


async def test_a_witness_that_is_away_is_asked_again_and_blocks_nobody(
    rig: Rig, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "WAIT", 0.0)
    witness = witness_of(rig, receiver)
    receiver.answers = [(503, {}), (429, {})]
    await rig.say("grant", "1")
    await notarise(rig)
    tried = [await witness.step(), await witness.step()]
    told = await FeedFollower(rig.desk).step()
    await rig.say("revoke", "1")
    await notarise(rig)
    taken = await witness.step()

    assert tried == [0, 0]
    assert told == 2
    assert taken > 0
    assert [head.size for head in heads(rig, receiver)] == [1, 1, 2]
    assert {event.type for event in await rig.events()} == {"consent.granted", "ledger.checkpoint"}


async def test_a_witness_that_refuses_is_told_of_the_next_one(rig: Rig, receiver: Receiver) -> None:
    witness = witness_of(rig, receiver)
    receiver.answers = [(400, {})]
    for action in ("grant", "revoke"):
        await rig.say(action, "1")
        await notarise(rig)
        await witness.step()

    assert [head.size for head in heads(rig, receiver)] == [1, 2]


@pytest.mark.parametrize("url", ["http://witness.example/", "https://10.0.0.1/", "nonsense"])
async def test_a_witness_where_nothing_may_go_ends_the_start(urls: Urls, url: str) -> None:
    with pytest.raises(ForbiddenAddress):
        async with a_rig(urls, witness_url=url):
            pass
