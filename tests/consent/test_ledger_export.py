"""An export says what was signed, and whoever changes it is found out."""

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.__main__ import cli
from services.consent.notary import Notary
from services.consent.registry import Registry
from services.consent.signers import Signers
from shared.database import Database
from shared.ledger import verify
from shared.ledger.verify import Head, Key, Tree, Verification, read_head, read_key
from tests.consent import mutations
from tests.consent.consent_house import House
from tests.consent.ledger_exports import exported, live
from tests.consent.mutations import MUTATIONS, Lines
from tests.postgres import Urls

HOW_MANY = 1_000
SEED = int(os.environ.get("PERMESSO_SEED", "20261123"))


class Auditor:
    """Who has the log's key, and the last checkpoint from a witness."""

    def __init__(self, house: House, registry: Registry, lines: Lines) -> None:
        self.lines = lines
        self.key = read_key(str(registry.signers.of(house.brand_id).key))
        (*_, last) = mutations.of_type(lines, "checkpoint")
        self.note = str(verify.read_line(lines[last])["note"])
        self.head = read_head(self.note, [self.key])

    def verify(self, lines: Lines, *, witnessed: bool = True) -> Verification:
        return verify.verify(lines, [self.key], [self.head] if witnessed else [])


@pytest.fixture
async def auditor(house: House, registry: Registry) -> Auditor:
    await live(house, registry, events=120, chance=random.Random(SEED))
    return Auditor(house, registry, await exported(house, registry))


def codes(done: Verification) -> set[str]:
    return {finding.code for finding in done.findings}


def mutants(lines: Lines, how_many: int) -> list[tuple[str, Lines]]:
    """Different exports, made by each kind of mutation in turn; the seed is in the name."""
    made = []
    seed = SEED
    while len(made) < how_many:
        mutation = MUTATIONS[len(made) % len(MUTATIONS)]
        seed += 1
        changed = mutation(lines, random.Random(seed))
        if changed != lines:
            made.append((f"{mutation.__name__} seed {seed}", changed))
    return made


def missed(auditor: Auditor, how_many: int = HOW_MANY) -> list[str]:
    return [
        name
        for name, changed in mutants(auditor.lines, how_many)
        if not auditor.verify(changed).findings
    ]


async def test_an_export_is_what_was_signed(auditor: Auditor) -> None:
    done = auditor.verify(auditor.lines)

    assert done.findings == []
    assert done.tree.size == auditor.head.size == len(mutations.of_type(auditor.lines, "event"))
    assert done.checkpoints > 10


async def test_an_export_of_nothing_is_whole(house: House, registry: Registry) -> None:
    key = read_key(str(registry.signers.of(house.brand_id).key))

    assert verify.verify(await exported(house, registry), [key]).findings == []


async def test_nothing_about_the_person_is_in_it_readable(house: House, registry: Registry) -> None:
    said = await house.say("grant", "+393331234567")
    await Notary(registry).advance(house.brand_id)
    whole = b"".join(await exported(house, registry))

    assert b"393331234567" not in whole
    assert str(said.person_id).encode() not in whole
    assert b"said so" not in whole


async def test_every_one_of_a_thousand_mutations_is_found(auditor: Auditor) -> None:
    sys.stdout.write(f"PERMESSO_SEED={SEED}\n")

    assert missed(auditor) == []


WEAKENED: dict[str, tuple[object, str, Callable[..., object]]] = {
    "roots are not compared": (Tree, "fits", lambda tree, head: tree.size == head.size),
    "signatures are not checked": (verify, "is_signed", lambda text, line, key: True),
}


@pytest.mark.parametrize("weakness", WEAKENED)
async def test_a_weakened_verifier_misses_some(
    auditor: Auditor, monkeypatch: pytest.MonkeyPatch, weakness: str
) -> None:
    monkeypatch.setattr(*WEAKENED[weakness])

    assert not auditor.verify(auditor.lines).findings
    assert len(missed(auditor, 300)) > 5


async def test_without_a_witness_a_rewound_ledger_looks_whole(auditor: Auditor) -> None:
    rewound = mutations.rewind(auditor.lines, random.Random(SEED))

    assert auditor.verify(rewound, witnessed=False).findings == []
    assert codes(auditor.verify(rewound)) == {"rewound"}


async def test_another_history_by_the_true_key_is_found_by_the_witness(
    auditor: Auditor, house: House, registry: Registry
) -> None:
    """The operator has the key, and signs a ledger that never was; the witness has the old head."""
    signer = registry.signers.of(house.brand_id)
    forked = mutations.signed_anew(auditor.lines, signer, random.Random(SEED))

    assert auditor.verify(forked, witnessed=False).findings == []
    assert codes(auditor.verify(forked)) == {"forked"}


async def test_a_new_key_goes_on_with_the_log_of_the_old_one(
    house: House, registry: Registry
) -> None:
    renewed = replace(registry, signers=Signers("aurora.example/ledger", "C" * 42 + "A"))
    keys = [read_key(str(each.signers.of(house.brand_id).key)) for each in (registry, renewed)]
    for each in (registry, renewed):
        await house.say("grant", each.signers.of(house.brand_id).key.public.hex())
        await Notary(each).advance(house.brand_id)
    lines = await exported(house, renewed)

    assert verify.verify(lines, keys).findings == []
    assert "forged" in codes(verify.verify(lines, keys[1:]))


@pytest.mark.parametrize(
    ("mutation", "code", "says"),
    [
        (mutations.change_a_field, "changed", "was changed"),
        (mutations.insert_an_event, "inserted", "was inserted"),
        (mutations.swap_two_checkpoints, "missing", "or it was moved"),
        (mutations.forge_a_checkpoint, "forged", "not by the log's key"),
        (mutations.change_an_event_and_its_leaf, "altered", "Among the events number"),
        (mutations.forge_the_whole, "forged", "not by the log's key"),
    ],
)
async def test_it_says_what_was_done(
    auditor: Auditor, mutation: mutations.Mutation, code: str, says: str
) -> None:
    found: Counter[str] = Counter()
    for seed in range(20):
        done = auditor.verify(mutation(auditor.lines, random.Random(seed)))
        found.update({each.code for each in done.findings if says in each.text})

    assert found[code] > 10


async def test_it_names_the_event_that_was_touched(auditor: Auditor) -> None:
    lines = auditor.lines
    events = mutations.of_type(lines, "event")
    one, other = next(
        (at, at + 1) for at in events if at + 1 in events and lines[at] != lines[at + 1]
    )
    name = str(verify.read_line(lines[one])["entry"]["id"])

    gone = auditor.verify([*lines[:one], *lines[other:]])
    twice = auditor.verify([*lines[:other], lines[one], *lines[other:]])
    turned = auditor.verify([*lines[:one], lines[other], lines[one], *lines[other + 1 :]])

    assert [(each.code, each.text) for each in gone.findings] == [
        ("removed", f"Event number {events.index(one)} was removed.")
    ]
    assert [each.code for each in twice.findings] == ["doubled"]
    assert [each.code for each in turned.findings] == ["moved"]
    assert name in twice.findings[0].text
    assert name in turned.findings[0].text


async def test_a_line_that_was_changed_in_the_database_is_named(
    house: House, registry: Registry, owner_database: Database
) -> None:
    # Nobody is told of a sight, so no follower of the feed misses the line.
    said = [await house.say("seen", f"p{number}") for number in range(5)]
    await Notary(registry).advance(house.brand_id)
    async with owner_database.connection(house.brand_id) as connection:
        await connection.execute("ALTER TABLE consent.event DISABLE TRIGGER USER")
        await connection.execute(
            "UPDATE consent.event SET recorded_at = recorded_at - interval '1 day' WHERE id = $1",
            said[1].id,
        )
        await connection.execute("DELETE FROM consent.event WHERE id = $1", said[3].id)
        await connection.execute("ALTER TABLE consent.event ENABLE TRIGGER USER")
    lines = await exported(house, registry)
    key: Key = read_key(str(registry.signers.of(house.brand_id).key))
    found = verify.verify(lines, [key]).findings

    assert [each.code for each in found] == ["changed", "removed"]
    assert str(said[1].id) in found[0].text
    assert "number 3" in found[1].text


ALONE = """
import sys

class OnlyTheStandardLibrary:
    def find_spec(self, name, path=None, target=None):
        allowed = sys.stdlib_module_names | {"cryptography", "_cffi_backend"}
        if name.partition(".")[0] not in allowed:
            raise ImportError("an auditor has no " + name)

sys.meta_path.insert(0, OnlyTheStandardLibrary())
import runpy
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


async def test_the_verifier_runs_alone(auditor: Auditor, tmp_path: Path) -> None:
    copied = Path(shutil.copy(str(verify.__file__), tmp_path / "copied.py"))
    good, bad, note = tmp_path / "good", tmp_path / "bad", tmp_path / "note"
    good.write_bytes(b"".join(auditor.lines))
    bad.write_bytes(b"".join(mutations.change_a_field(auditor.lines, random.Random(1))))
    note.write_text(auditor.note)
    key = (
        f"{auditor.key.name}+{auditor.key.id.hex()}+"
        + verify.base64.b64encode(b"\x01" + auditor.key.public).decode()
    )

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-c", ALONE, str(copied), *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )

    well = run(good, "--key", key, "--checkpoint", note)
    badly = run(bad, "--key", key)
    misused = run(good, "--key", "nonsense")

    assert (well.returncode, well.stderr) == (0, "")
    assert well.stdout.startswith(f"VERIFIED: {auditor.head.size} events")
    assert badly.returncode == 1
    assert "was changed." in badly.stdout
    assert (misused.returncode, misused.stdout) == (2, "")


async def test_the_commands_write_and_verify(
    auditor: Auditor, house: House, urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "DATABASE_URL": urls.consent,
        "SERVICE_KEY": "unused",
        "SEALING_KEYS": '{"k1": "' + "A" * 43 + '"}',
        "LEDGER_KEY": "B" * 42 + "A",
        "SUPPRESSION_KEY": "C" * 43,
        "LEDGER_ORIGIN": "aurora.example/ledger",
    }.items():
        monkeypatch.setenv(f"CONSENT_{name}", value)
    to = tmp_path / "ledger.ndjson"

    def permesso(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services", "ledger", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    wrote = permesso("export", str(house.brand_id), "--to", str(to))
    key = wrote.stdout.removeprefix("--key ").strip()
    assert (wrote.returncode, wrote.stderr) == (0, "")
    assert to.read_bytes() == b"".join(auditor.lines)
    again = permesso("export", str(house.brand_id), "--to", str(to))
    assert (again.returncode, "File exists" in again.stderr) == (2, True)
    verified = CliRunner().invoke(cli, ["ledger", "verify", str(to), "--key", key])
    assert (verified.exit_code, "VERIFIED" in verified.output) == (0, True)
    refused = CliRunner().invoke(cli, ["ledger", "verify", str(to), "--key", key + "x"])
    assert refused.exit_code == 2


def test_a_head_is_refused_by_what_it_says() -> None:
    with pytest.raises(verify.Refused):
        read_head("no note", [Key("x", b"1234", bytes(32))])
    assert Tree().plus([bytes(32)]).fits(Head("x", 1, bytes(32)))
