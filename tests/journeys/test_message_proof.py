"""Why did this person get this message? The answer is verified by somebody who believes nobody."""

import asyncio
import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.__main__ import cli
from shared.database import Database
from shared.ledger import verify, verify_proof
from shared.ledger.verify_proof import Report
from tests.house import BOT, House

Place = tuple[str | int, ...]


async def told(house: House, path: str) -> dict[str, Any]:
    """A proof, as soon as its consent is in the log."""
    answer: dict[str, Any] = {}

    async def proven() -> bool:
        nonlocal answer
        bearer = {"authorization": f"Bearer {house.key}"}
        response = await house.api.get(path, headers=bearer)
        answer = response.json()
        assert response.status_code == 200 or answer["code"] == "not_logged_yet", answer
        return response.status_code == 200

    await house.until(proven)
    return answer


async def sent(house: House, address: str, *, purpose: str = "marketing") -> str:
    """Write to one person, and return the message's id when something became of it."""
    made = await house.call(
        "POST",
        "/v1/messages",
        json={
            "account_id": str(house.account_id),
            "address": address,
            "purpose": purpose,
            "content": {"text": "Nuova miscela d'autunno ☕"},
        },
    )

    async def ended() -> bool:
        now = await house.call("GET", f"/v1/messages/{made['id']}")
        return now["status"] not in ("queued", "claimed", "sending")

    await house.until(ended)
    return str(made["id"])


async def the_key(house: House) -> str:
    """The log's key, as the operator would read it out."""
    return str((await house.call("GET", "/v1/ledger/checkpoint"))["key"])


def verified(document: Any, key: str, *, kept: str | None = None) -> Report:
    trusted = [verify.read_key(key)]
    known = [] if kept is None else [verify.read_head(kept, trusted)]
    return verify_proof.verify(document, trusted, known)


def leaves(value: Any, at: Place = ()) -> Iterator[Place]:
    """Each value that a JSON document ends in."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, each in items:
        if isinstance(each, dict | list) and each:
            yield from leaves(each, (*at, name))
        else:
            yield (*at, name)


def tampered(document: Any, at: Place) -> Any:
    changed = copy.deepcopy(document)
    place = changed
    for step in at[:-1]:
        place = place[step]
    place[at[-1]] = another(place[at[-1]])
    return changed


def another(value: Any) -> Any:
    match value:
        case None:
            return "x"
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if value:
            middle = len(value) // 2
            return value[:middle] + ("0" if value[middle] != "0" else "1") + value[middle + 1 :]
        case str():
            return "x"
        case dict():
            return {"x": 1}
        case _:
            return ["x"]


async def test_a_campaign_message_is_proven_to_its_last_field(house: House) -> None:
    (ada,) = await house.people(1)
    campaign = await house.campaign(
        {"title": "t", "language": "it", "frames": [{"text": "Ciao, è autunno"}]}
    )
    await house.finished(campaign)
    listed = await house.call("GET", f"/v1/campaigns/{campaign}/messages")
    proof = await told(house, f"/v1/messages/{listed['items'][0]['id']}/proof")
    key = await the_key(house)
    report = verified(proof, key)

    assert report.findings == []
    assert proof["message"]["address"] == ada
    assert (proof["permission"]["allowed"], proof["permission"]["reason"]) == (True, "granted")
    assert "Ciao, è autunno" in json.dumps(proof["content"]["parts"], ensure_ascii=False)
    assert proof["content"]["story_id"] is not None
    assert proof["consents"][0]["evidence"]["wording"] == "Sì"
    signed = {(fact.name, fact.value) for fact in report.facts if fact.signed}
    assert {("wording", "Sì"), ("action", "grant")} <= signed
    places = list(leaves(proof))
    assert len(places) > 60
    missed = [at for at in places if not verified(tampered(proof, at), key).findings]
    assert missed == []


STATED = (
    ("message",),
    ("content",),
    ("issued_at",),
    ("permission", "reason"),
    ("permission", "asked_within_seconds"),
    ("consents", 0, "webhook"),
    ("consents", 0, "proof", "checkpoint", "at"),
)
"""What only the statement binds: docs/ledger.md names the same."""


async def test_what_the_log_itself_has_signed_is_found_without_the_statement(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the house itself had changed the document and stated it anew."""
    (ada,) = await house.people(1)
    proof = await told(house, f"/v1/messages/{await sent(house, ada)}/proof")
    key = await the_key(house)
    monkeypatch.setattr(verify_proof, "_take_statement", lambda *_: None)
    assert verified(proof, key).findings == []

    places = [at for at in leaves(proof) if at[0] != "statement"]
    missed = [at for at in places if not verified(tampered(proof, at), key).findings]
    assert missed != []
    assert [at for at in missed if not any(at[: len(each)] == each for each in STATED)] == []


@pytest.mark.parametrize("rule", ["_take_proof", "_take_content", "_take_answer"])
async def test_a_weakened_verifier_misses_some(
    house: House, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    (ada,) = await house.people(1)
    proof = await told(house, f"/v1/messages/{await sent(house, ada)}/proof")
    key = await the_key(house)
    monkeypatch.setattr(verify_proof, "_take_statement", lambda *_: None)
    whole = sum(bool(verified(tampered(proof, at), key).findings) for at in leaves(proof))
    if rule == "_take_proof":
        entry = proof["consents"][0]["proof"]["entry"]["entry"]
        monkeypatch.setattr(verify_proof, rule, lambda *_: dict(entry))
    else:
        monkeypatch.setattr(verify_proof, rule, lambda *_: None)
    weak = sum(bool(verified(tampered(proof, at), key).findings) for at in leaves(proof))

    assert weak < whole


async def test_words_in_a_chat_are_shown_with_the_webhook_that_brought_them(house: House) -> None:
    (ada,) = await house.people(1)
    house.say(ada, "STOP")

    async def heard() -> bool:
        return await house.allowed(ada) == "revoked"

    await house.until(heard)
    proof = await told(house, f"/v1/messages/{await sent(house, ada)}/proof")
    report = verified(proof, await the_key(house))

    assert report.findings == []
    assert (proof["permission"]["allowed"], proof["permission"]["reason"]) == (False, "revoked")
    assert proof["message"]["attempts"] == []
    (consent,) = proof["consents"]
    assert consent["evidence"]["text"] == "STOP"
    assert json.loads(consent["webhook"]["body"])["message"]["text"] == "STOP"
    assert not house.telegram.account(BOT).files


async def test_who_never_agreed_is_shown_to_have_got_nothing(house: House) -> None:
    (bob,) = await house.people(1, granted=False)
    await house.people(1)
    proof = await told(house, f"/v1/messages/{await sent(house, bob)}/proof")

    assert proof["permission"] == {
        "allowed": False,
        "reason": "no_consent",
        "consent_event_id": None,
        "asked_within_seconds": 5,
    }
    assert verified(proof, await logged_key(house)).findings == []


async def logged_key(house: House) -> str:
    key = ""

    async def known() -> bool:
        nonlocal key
        bearer = {"authorization": f"Bearer {house.key}"}
        answer = await house.api.get("/v1/ledger/checkpoint", headers=bearer)
        key = answer.json().get("key", "")
        return answer.status_code == 200

    await house.until(known)
    return key


async def test_a_message_before_its_consent_is_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ada,) = await house.people(1)
    proof = await told(house, f"/v1/messages/{await sent(house, ada)}/proof")
    key = await the_key(house)
    monkeypatch.setattr(verify_proof, "_take_statement", lambda *_: None)
    for attempt in proof["message"]["attempts"]:
        at = verify_proof.datetime.fromisoformat(attempt["started_at"])
        attempt["started_at"] = (at - timedelta(hours=1)).isoformat()

    assert [each.text for each in verified(proof, key).findings] == [
        "It was sent before the consent was recorded."
    ]


async def test_one_persons_consent_proves_nothing_of_anothers_message(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = await house.people(2)
    his = await told(house, f"/v1/messages/{await sent(house, bob)}/proof")
    hers = await told(house, f"/v1/messages/{await sent(house, ada)}/proof")
    key = await the_key(house)
    monkeypatch.setattr(verify_proof, "_take_statement", lambda *_: None)
    hers["consents"] = his["consents"]
    hers["permission"]["consent_event_id"] = his["permission"]["consent_event_id"]
    hers["message"]["consent_event_id"] = his["permission"]["consent_event_id"]

    assert "The yes is another address's." in {f.text for f in verified(hers, key).findings}


async def test_a_kept_checkpoint_binds_it(house: House) -> None:
    (ada,) = await house.people(1)
    message = await sent(house, ada)
    first = await told(house, f"/v1/messages/{message}/proof")
    kept = first["consents"][0]["proof"]["checkpoint"]
    await told(house, f"/v1/ledger/proofs/{(await house.consent(ada, 'grant'))['id']}")
    key = await the_key(house)
    newest = await told(house, f"/v1/messages/{message}/proof")
    asked = await told(house, f"/v1/messages/{message}/proof?size={kept['size']}")

    assert verified(asked, key, kept=kept["note"]).findings == []
    assert verified(newest, key).findings == []
    (finding,) = verified(newest, key, kept=kept["note"]).findings
    assert f"size={kept['size']}" in finding.text


async def test_the_key_needs_both_scopes(house: House) -> None:
    (ada,) = await house.people(1)
    message = await sent(house, ada)
    for scopes, status in ((["messages:read"], 403), (["people:read"], 403)):
        made = await house.call("POST", "/v1/keys", json={"name": "k", "scopes": scopes})
        bearer = {"authorization": f"Bearer {made['api_key']}"}
        refused = await house.api.get(f"/v1/messages/{message}/proof", headers=bearer)
        assert (refused.status_code, refused.json()["code"]) == (status, "missing_scope")


async def test_the_commands_verify_both_kinds_of_proof(house: House, tmp_path: Path) -> None:
    (ada,) = await house.people(1)
    proof = await told(house, f"/v1/messages/{await sent(house, ada)}/proof")
    event = proof["permission"]["consent_event_id"]
    single = await told(house, f"/v1/ledger/proofs/{event}")
    key = await the_key(house)
    files = {}
    for name, value in {
        "message": proof,
        "single": single,
        "changed": tampered(proof, ("message", "address")),
        "moved": tampered(single, ("entry", "number")),
        "nothing": {"type": "x"},
    }.items():
        files[name] = tmp_path / f"{name}.json"
        files[name].write_text(json.dumps(value))

    def permesso(name: str, *more: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, ["proof", "verify", str(files[name]), "--key", key, *more])
        return done.exit_code, done.output

    assert permesso("message")[0] == 0
    assert "VERIFIED: the message proof holds." in permesso("message")[1]
    assert "The consent it rests on" in permesso("message")[1]
    assert permesso("single")[0] == 0
    assert permesso("changed")[0] == 1
    assert "changed since it was issued" in permesso("changed")[1]
    assert permesso("moved")[0] == 1
    assert permesso("nothing")[0] == 1
    assert permesso("message", "--key", "nonsense")[0] == 2
    for file in (verify.__file__, verify_proof.__file__):
        shutil.copy(str(file), tmp_path)
    alone = [sys.executable, "-I", "-c", ALONE, str(tmp_path / "verify_proof.py")]
    for name, code in (("message", 0), ("single", 0), ("changed", 1)):
        command = [*alone, str(files[name]), "--key", key]
        ran = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stderr) == (code, "")


ALONE = """
import pathlib, runpy, sys

class OnlyTheStandardLibrary:
    def find_spec(self, name, path=None, target=None):
        allowed = sys.stdlib_module_names | {"cryptography", "_cffi_backend", "verify"}
        if name.partition(".")[0] not in allowed:
            raise ImportError("an auditor has no " + name)

sys.meta_path.insert(0, OnlyTheStandardLibrary())
sys.argv = sys.argv[1:]
sys.path.insert(0, str(pathlib.Path(sys.argv[0]).parent))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


async def test_nobody_proves_what_is_not_theirs(house: House) -> None:
    (ada,) = await house.people(1)
    message = await sent(house, ada)
    first = house.key
    house.key = "operator-key-of-a-test"
    other = await house.call(
        "POST",
        "/v1/brands",
        json={"name": "Z", "country": "IT", "languages": ["it"], "timezone": "Europe/Rome"},
    )
    house.key = other["api_key"]
    refused = await house.call("GET", f"/v1/messages/{message}/proof", expect=404)
    house.key = first

    assert refused["code"] == "not_found"


async def test_a_damaged_log_proves_nothing_and_says_so(
    house: House, owner_database: Database
) -> None:
    (ada,) = await house.people(1)
    message = await sent(house, ada)
    proof = await told(house, f"/v1/messages/{message}/proof")
    async with owner_database.connection(house.brand_id) as connection:
        await connection.execute("ALTER TABLE consent.log_leaf DISABLE TRIGGER USER")
        await connection.execute("DELETE FROM consent.log_leaf")
        await connection.execute("ALTER TABLE consent.log_leaf ENABLE TRIGGER USER")
    event = proof["permission"]["consent_event_id"]
    for path in (f"/v1/messages/{message}/proof", f"/v1/ledger/proofs/{event}"):
        refused = await house.call("GET", path, expect=503)
        assert refused["code"] == "ledger_damaged"
