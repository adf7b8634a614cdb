"""A brand that believes nobody: it keeps a checkpoint, and verifies what it is told against it."""

from base64 import b64decode
from typing import Any

from shared.ledger import entries, merkle
from shared.ledger.notes import Checkpoint, NoteKey, open_note
from tests.house import House


async def logged(house: House, consent: dict[str, Any]) -> dict[str, Any]:
    """The proof that a consent is in the log, as soon as there is one."""
    answer: dict[str, Any] = {}

    async def proven() -> bool:
        nonlocal answer
        path = f"/v1/ledger/proofs/{consent['id']}"
        bearer = {"authorization": f"Bearer {house.key}"}
        response = await house.api.get(path, headers=bearer)
        answer = response.json()
        assert response.status_code == 200 or answer["code"] == "not_logged_yet"
        return response.status_code == 200

    await house.until(proven)
    return answer


async def test_a_brand_verifies_its_own_consents(house: House) -> None:
    (person,) = await house.people(1, granted=False)
    yes = await house.consent(person, "grant")
    first = await logged(house, yes)
    key = NoteKey.parse(first["checkpoint"]["key"])
    kept = Checkpoint.parse(open_note(first["checkpoint"]["note"], [key]))
    no = await house.consent(person, "revoke")
    second = await logged(house, no)
    head = Checkpoint.parse(open_note(second["checkpoint"]["note"], [key]))
    steps = {"from": kept.size, "to": head.size}
    grown = await house.call("GET", "/v1/ledger/consistency", params=steps)
    listed = await house.call("GET", "/v1/ledger/entries", params={"from": kept.size})

    entry = second["entry"]
    leaf = merkle.leaf_hash(entries.canonical(entry["entry"]))
    path = [b64decode(each) for each in second["path"]]
    assert entry["entry"]["action"] == "revoke"
    assert merkle.includes(leaf, entry["number"], head.size, path, head.root)
    path = [b64decode(each) for each in grown["path"]]
    assert merkle.extends(kept.size, kept.root, head.size, head.root, path)
    assert entry in listed["items"]


async def test_the_brand_is_told_of_its_checkpoints(house: House) -> None:
    await house.people(1)
    told: list[dict[str, Any]] = []

    async def heard() -> bool:
        nonlocal told
        params = {"type": "ledger.checkpoint"}
        told = (await house.call("GET", "/v1/events", params=params))["items"]
        return bool(told)

    await house.until(heard)
    now = await house.call("GET", "/v1/ledger/checkpoint", params={"size": told[0]["data"]["size"]})

    assert told[0]["data"] == {name: now[name] for name in ("size", "root", "note")}
