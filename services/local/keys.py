"""The secrets of one installation: made once, kept in one file that its owner alone can read."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.ids import new_id
from shared.migrate import ROLES
from shared.security.service_tokens import Signer

SERVICES = ("gateway", "consent", "dispatcher")
CALLERS = {"gateway": (), "consent": ("gateway", "dispatcher"), "dispatcher": ("gateway",)}
"""Who may call whom: calls go down only."""


_LATER = frozenset({"ledger_key", "suppression_key", "link_key"})
"""What a file of an earlier version lacks."""


class KeysBroken(Exception):
    """The file of keys cannot be used; the text says why, and never what is in it."""


@dataclass(frozen=True)
class Keys:
    """Everything secret that one installation needs."""

    instance: str
    """An id of the installation, not a secret: it names what lies outside the data folder."""
    operator_key: str
    key_pepper: str
    owner_password: str
    role_passwords: dict[str, str]
    service_keys: dict[str, str]
    """Ed25519 seeds by service."""
    sealing_keys: dict[str, dict[str, str]]
    """By service: keys by key id. No service can open what another has sealed."""
    ledger_key: str
    """The Ed25519 seed that signs the consent ledger's checkpoints."""
    suppression_key: str
    """The secret by which the addresses of erased people are known again."""
    link_key: str
    """What links to people's own pages are sealed under."""

    def public_keys(self, service: str) -> dict[str, str]:
        """Return the public keys of those who may call a service."""
        return {name: Signer(name, self.service_keys[name]).public_key for name in CALLERS[service]}


def fresh_keys() -> Keys:
    """Make new ones."""
    return Keys(
        instance=str(new_id()),
        operator_key="op_" + secrets.token_urlsafe(32),
        key_pepper=_key(),
        owner_password=secrets.token_urlsafe(24),
        role_passwords={
            role: secrets.token_urlsafe(24) for roles in ROLES.values() for role in roles
        },
        service_keys={name: _key() for name in SERVICES},
        sealing_keys={name: {"k1": _key()} for name in SERVICES},
        ledger_key=_key(),
        suppression_key=_key(),
        link_key=_key(),
    )


def load_or_make(path: Path) -> Keys:
    """Return the keys in this file, which is made (mode 600) when it is not there."""
    try:
        stored = json.loads(path.read_text())
        keys = Keys(**{**{name: _key() for name in _LATER}, **stored})
        if not stored.keys() >= _LATER:
            # The file is of a version that signed nothing, erased nobody, or had links under the
            # pepper.
            write_private(path, json.dumps(asdict(keys), indent=1) + "\n")
        return keys
    except FileNotFoundError:
        keys = fresh_keys()
        write_private(path, json.dumps(asdict(keys), indent=1) + "\n")
        return keys
    except OSError as error:
        raise KeysBroken(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise KeysBroken(
            f"{path} is not a file of keys. Restore it from a copy: what it sealed cannot be "
            "opened without it. Or choose another --data-dir to begin anew."
        ) from error


def write_private(path: Path, text: str) -> None:
    """Write a file for its owner alone, complete or not at all."""
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def as_environment(keys: Keys, *, database: str | None = None) -> dict[str, str]:
    """Return the settings of all services that are secrets, for an operator to fill in.

    `database` (host:port/name) adds the addresses, which have passwords in them.
    """
    lines = {
        "GATEWAY_OPERATOR_KEY": keys.operator_key,
        "GATEWAY_KEY_PEPPER": keys.key_pepper,
        "GATEWAY_LINK_KEY": keys.link_key,
    }
    for name in SERVICES:
        prefix = name.upper()
        lines[f"{prefix}_SERVICE_KEY"] = keys.service_keys[name]
        lines[f"{prefix}_SERVICE_PUBLIC_KEYS"] = json.dumps(keys.public_keys(name))
        lines[f"{prefix}_SEALING_KEYS"] = json.dumps(keys.sealing_keys[name])
    lines["CONSENT_LEDGER_KEY"] = keys.ledger_key
    lines["CONSENT_SUPPRESSION_KEY"] = keys.suppression_key
    lines["MIGRATE_ROLE_PASSWORDS"] = json.dumps(keys.role_passwords)
    return lines | (_addresses(keys, database) if database else {})


def _addresses(keys: Keys, database: str) -> dict[str, str]:
    """Return the database's address for each role, and what a new PostgreSQL is told."""
    named = {f"{name.upper()}_DATABASE_URL": f"permesso_{name}" for name in SERVICES}
    named["GATEWAY_INBOX_DATABASE_URL"] = "permesso_inbox"
    lines = {
        variable: f"postgresql://{role}:{keys.role_passwords[role]}@{database}"
        for variable, role in named.items()
    }
    lines["MIGRATE_DATABASE_URL"] = f"postgresql://permesso:{keys.owner_password}@{database}"
    lines["POSTGRES_PASSWORD"] = keys.owner_password
    return lines


def _key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
