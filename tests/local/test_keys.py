"""The secrets of an installation: made once, for its owner alone, no two alike."""

import json
import stat
from pathlib import Path

import pytest

from services.local.keys import KeysBroken, as_environment, fresh_keys, load_or_make
from shared.security.sealing import Sealer
from shared.security.service_tokens import Signer, Verifier


def test_they_are_made_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = load_or_make(path)

    assert load_or_make(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_older_file_gets_the_keys_that_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = load_or_make(path)
    stored = json.loads(path.read_text())
    del stored["ledger_key"], stored["suppression_key"], stored["link_key"]
    path.write_text(json.dumps(stored))

    completed = load_or_make(path)

    assert load_or_make(path) == completed
    assert completed.operator_key == made.operator_key
    assert len(completed.ledger_key) == len(made.ledger_key)
    assert len(completed.suppression_key) == len(made.suppression_key)
    assert len(completed.link_key) == len(made.link_key)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"instance": "x"}'])
def test_a_broken_file_is_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)

    with pytest.raises(KeysBroken, match="Restore it"):
        load_or_make(path)
    assert path.read_text() == content


def test_no_two_secrets_are_alike() -> None:
    keys = fresh_keys()
    secrets = [
        keys.operator_key,
        keys.key_pepper,
        keys.owner_password,
        *keys.role_passwords.values(),
        *keys.service_keys.values(),
        *(key for of_service in keys.sealing_keys.values() for key in of_service.values()),
        keys.ledger_key,
        keys.suppression_key,
        keys.link_key,
    ]

    assert len(set(secrets)) == len(secrets) == 16


def test_calls_go_down_only() -> None:
    keys = fresh_keys()

    assert keys.public_keys("gateway") == {}
    assert set(keys.public_keys("dispatcher")) == {"gateway"}
    assert set(keys.public_keys("consent")) == {"gateway", "dispatcher"}


def test_an_operator_gets_what_fits_together() -> None:
    lines = as_environment(fresh_keys())
    signer = Signer("gateway", lines["GATEWAY_SERVICE_KEY"])
    verifier = Verifier(json.loads(lines["CONSENT_SERVICE_PUBLIC_KEYS"]), "consent")
    token = signer.header(audience="consent", method="GET", path="/", body=b"")

    assert verifier.verify(token, method="GET", path="/", body=b"") == "gateway"
    assert Sealer.from_base64(json.loads(lines["DISPATCHER_SEALING_KEYS"]))
