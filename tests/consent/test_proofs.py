"""What the log proves over the wire, believed by nobody: every answer is verified."""

from base64 import b64decode

import pytest

from services.consent.api import examples
from services.consent.notary import Notary
from services.consent.registry import Registry
from shared.clients.base import ServiceRefused
from shared.contracts.ledger import LogConsistency, LogProof
from shared.ids import new_id
from shared.ledger import entries, merkle
from shared.ledger.notes import Checkpoint, NoteKey, open_note
from tests.consent.consent_house import House


def opened(note: str, key: str) -> Checkpoint:
    return Checkpoint.parse(open_note(note, [NoteKey.parse(key)]))


def holds(proof: LogProof, key: str) -> bool:
    """Verify as a brand's program would, with the key that it has from elsewhere."""
    head = opened(proof.checkpoint.note, key)
    assert proof.entry.entry is not None
    leaf = merkle.leaf_hash(entries.canonical(proof.entry.entry))
    assert leaf == b64decode(proof.entry.leaf)
    path = [b64decode(each) for each in proof.path]
    return merkle.includes(leaf, proof.entry.number, head.size, path, head.root)


@pytest.fixture
def key(house: House, registry: Registry) -> str:
    return str(registry.signers.of(house.brand_id).key)


async def test_every_event_is_proven_under_every_checkpoint_after_it(
    house: House, registry: Registry, key: str
) -> None:
    said, sizes = [], []
    for number in range(11):
        said.append(await house.say("grant", f"p{number % 3}"))
        if number % 4 == 1:
            await Notary(registry).advance(house.brand_id)
            sizes.append(len(said))
    await Notary(registry).advance(house.brand_id)
    for number, each in enumerate(said):
        newest = await house.client.prove(house.brand_id, each.id)
        assert (newest.entry.number, newest.checkpoint.size) == (number, 11)
        assert holds(newest, key)
        for size in sizes:
            if size > number:
                then = await house.client.prove(house.brand_id, each.id, size=size)
                assert then.checkpoint.size == size
                assert holds(then, key)


async def test_each_checkpoint_extends_those_before_it(
    house: House, registry: Registry, key: str
) -> None:
    for number in range(7):
        await house.say("grant", f"p{number}")
        await Notary(registry).advance(house.brand_id)
    heads = {}
    for size in range(1, 8):
        told = await house.client.checkpoint(house.brand_id, size=size)
        heads[size] = opened(told.note, key)
        assert told.key == key
    for old in range(1, 8):
        for new in range(old, 8):
            proof = await house.client.compare(house.brand_id, old=old, new=new)
            path = [b64decode(each) for each in proof.path]
            assert merkle.extends(old, heads[old].root, new, heads[new].root, path)
    assert (await house.client.checkpoint(house.brand_id)).size == 7


async def test_entries_come_in_pages(house: House, registry: Registry) -> None:
    said = [(await house.say("grant", f"p{number}")).id for number in range(5)]
    await Notary(registry).advance(house.brand_id)
    read, at = [], 0
    while True:
        page = await house.client.log_entries(house.brand_id, begin=at, limit=2)
        read += [item.event_id for item in page.items]
        if page.next is None:
            break
        at = page.next
    some = await house.client.log_entries(house.brand_id, begin=1, end=3)

    assert read == said
    assert [item.number for item in some.items] == [1, 2]
    assert some.next is None


async def test_what_cannot_be_proven_is_said(house: House, registry: Registry) -> None:
    async def refusal(event_id: object, size: int | None = None) -> tuple[int, str]:
        with pytest.raises(ServiceRefused) as refused:
            await house.client.prove(house.brand_id, event_id, size=size)  # type: ignore[arg-type]
        return refused.value.status, refused.value.code

    first = await house.say("grant")
    assert await refusal(first.id) == (409, "not_logged_yet")
    with pytest.raises(ServiceRefused, match="no_checkpoint"):
        await house.client.checkpoint(house.brand_id)
    await Notary(registry).advance(house.brand_id)
    second = await house.say("revoke")
    await Notary(registry).advance(house.brand_id)

    assert await refusal(new_id()) == (404, "unknown_event")
    assert await refusal(second.id, 1) == (409, "not_logged_yet")
    assert await refusal(first.id, 7) == (404, "no_checkpoint")
    for old, new in ((1, 9), (2, 1)):
        with pytest.raises(ServiceRefused):
            await house.client.compare(house.brand_id, old=old, new=new)


async def test_no_brand_learns_of_another(house: House, registry: Registry) -> None:
    other = await House(house.client).open(bot="telegram")
    said = await house.say("grant")
    await Notary(registry).advance(house.brand_id)

    with pytest.raises(ServiceRefused, match="unknown_event"):
        await other.client.prove(other.brand_id, said.id)
    with pytest.raises(ServiceRefused, match="no_checkpoint"):
        await other.client.checkpoint(other.brand_id)
    assert (await other.client.log_entries(other.brand_id)).items == ()


def test_the_examples_are_true() -> None:
    key = examples.CHECKPOINT["key"]
    head = opened(str(examples.CHECKPOINT["note"]), str(key))
    proof = LogProof.model_validate_json(entries.canonical(examples.PROOF))
    step = LogConsistency.model_validate(examples.CONSISTENCY)

    assert holds(proof, str(key))
    assert merkle.extends(
        1, b64decode(proof.entry.leaf), 2, head.root, [b64decode(each) for each in step.path]
    )
