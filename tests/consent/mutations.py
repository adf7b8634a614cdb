"""Ways to change an export with care: each says something else than what was signed."""

import json
import random
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256

from shared.ledger import entries, merkle
from shared.ledger.notes import Checkpoint, NoteSigner

Lines = list[bytes]
Mutation = Callable[[Lines, random.Random], Lines]


def spell(value: dict[str, object]) -> bytes:
    return entries.canonical(value) + b"\n"


BEGINNINGS = {
    "ledger": b'{"key":',
    "event": b'{"entry":',
    "checkpoint": b'{"leaves":',
    "end": b'{"size":',
}
"""Keys stand in order, so the first one tells which line it is."""


class Export(Lines):
    """An export that nobody changes: where its lines of each type are is found out once."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self.places = {kind: _places(lines, kind) for kind in BEGINNINGS}


def of_type(lines: Lines, kind: str) -> list[int]:
    return lines.places[kind] if isinstance(lines, Export) else _places(lines, kind)


def _places(lines: Lines, kind: str) -> list[int]:
    beginning = BEGINNINGS[kind]
    return [at for at, line in enumerate(lines) if line.startswith(beginning)]


def flip_a_bit(lines: Lines, chance: random.Random) -> Lines:
    at = chance.randrange(len(lines))
    line = bytearray(lines[at])
    line[chance.randrange(len(line))] ^= 1 << chance.randrange(8)
    # What was a line may be two now, or one with the next.
    rest = b"" if line.endswith(b"\n") or at + 1 == len(lines) else lines[at + 1]
    changed = bytes(line + rest).splitlines(keepends=True)
    return [*lines[:at], *changed, *lines[at + 1 + bool(rest) :]]


def remove_a_line(lines: Lines, chance: random.Random) -> Lines:
    at = chance.randrange(len(lines))
    return lines[:at] + lines[at + 1 :]


def double_a_line(lines: Lines, chance: random.Random) -> Lines:
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines) + 1)
    return [*lines[:to], lines[at], *lines[to:]]


def swap_two_lines(lines: Lines, chance: random.Random) -> Lines:
    one, other = chance.sample(range(len(lines)), 2)
    changed = list(lines)
    changed[one], changed[other] = lines[other], lines[one]
    return changed


def swap_two_checkpoints(lines: Lines, chance: random.Random) -> Lines:
    one, other = chance.sample(of_type(lines, "checkpoint"), 2)
    changed = list(lines)
    changed[one], changed[other] = lines[other], lines[one]
    return changed


def swap_two_notes(lines: Lines, chance: random.Random) -> Lines:
    one, other = chance.sample(of_type(lines, "checkpoint"), 2)
    values = [json.loads(lines[at]) for at in (one, other)]
    values[0]["note"], values[1]["note"] = values[1]["note"], values[0]["note"]
    changed = list(lines)
    changed[one], changed[other] = map(spell, values)
    return changed


def cut_the_end_off(lines: Lines, chance: random.Random) -> Lines:
    at = chance.randrange(len(lines))
    rest = lines[at][: chance.randrange(len(lines[at]))]
    return [*lines[:at], rest] if rest else lines[:at]


def change_a_field(lines: Lines, chance: random.Random) -> Lines:
    """Tell another story of an event, neatly spelled."""
    at = chance.choice(of_type(lines, "event"))
    value = json.loads(lines[at])
    name = chance.choice(sorted(value["entry"]))
    value["entry"][name] = another(value["entry"][name])
    return [*lines[:at], spell(value), *lines[at + 1 :]]


def change_a_sealed_half(lines: Lines, chance: random.Random) -> Lines:
    """Put other evidence under an event, and let its entry agree."""
    at = chance.choice(of_type(lines, "event"))
    value = json.loads(lines[at])
    other = chance.randbytes(len(b64decode(value["sealed"])))
    value["sealed"] = b64encode(other).decode()
    if chance.random() < 0.5:
        value["entry"]["sealed"] = sha256(other).hexdigest()
    return [*lines[:at], spell(value), *lines[at + 1 :]]


def change_an_event_and_its_leaf(lines: Lines, chance: random.Random) -> Lines:
    """As above, by somebody who knows the format: the list of leaves agrees too."""
    at = chance.choice(of_type(lines, "event"))
    value = json.loads(lines[at])
    before = leaf_of(value)
    value["entry"]["outcome"] = another(value["entry"]["outcome"])
    changed = [*lines[:at], spell(value), *lines[at + 1 :]]
    for place in of_type(lines, "checkpoint"):
        if before.encode() not in changed[place]:
            continue
        head = json.loads(changed[place])
        head["leaves"] = [leaf_of(value) if leaf == before else leaf for leaf in head["leaves"]]
        changed[place] = spell(head)
    return changed


def insert_an_event(lines: Lines, chance: random.Random) -> Lines:
    at = chance.choice(of_type(lines, "event"))
    value = json.loads(lines[at])
    value["entry"]["id"] = another(value["entry"]["id"])
    value["number"] += chance.randrange(2)
    return [*lines[:at], spell(value), *lines[at:]]


def leave_an_event_out_and_number_anew(lines: Lines, chance: random.Random) -> Lines:
    gone = chance.choice(of_type(lines, "event"))
    lost = leaf_of(json.loads(lines[gone]))
    changed, number = [], 0
    for line in lines[:gone] + lines[gone + 1 :]:
        value = json.loads(line)
        if value["type"] == "event":
            value["number"], number = number, number + 1
        if value["type"] == "checkpoint":
            value["leaves"] = [leaf for leaf in value["leaves"] if leaf != lost]
        if value["type"] == "end":
            value["size"] = number
        changed.append(spell(value))
    return changed


def forge_a_checkpoint(lines: Lines, chance: random.Random) -> Lines:
    """Sign what is there, or something else, with another key under the log's name."""
    at = chance.choice(of_type(lines, "checkpoint"))
    value = json.loads(lines[at])
    origin, size, root, *_ = value["note"].split("\n")
    forger = NoteSigner(origin, chance.randbytes(32))
    hash = b64decode(root) if chance.random() < 0.5 else chance.randbytes(32)
    note = forger.sign(Checkpoint(origin, int(size), hash).text())
    if chance.random() < 0.5:
        # With the key's true id, so that it is looked at.
        kept = b64decode(value["note"].rpartition(" ")[2])[:4]
        text, _, line = note.rpartition(" ")
        note = f"{text} {b64encode(kept + b64decode(line)[4:]).decode()}\n"
    value["note"] = note
    return [*lines[:at], spell(value), *lines[at + 1 :]]


def forge_the_whole(lines: Lines, chance: random.Random) -> Lines:
    """Another history, in itself without fault, by another key under the log's name."""
    forger = NoteSigner(json.loads(lines[0])["origin"], chance.randbytes(32))
    changed = signed_anew(lines, forger, chance)
    return changed if chance.random() < 0.5 else [lines[0], *changed[1:]]


def signed_anew(lines: Lines, signer: NoteSigner, chance: random.Random) -> Lines:
    """One event is told otherwise, and all the rest made to agree."""
    changed = [spell({**json.loads(lines[0]), "key": str(signer.key)})]
    victim = chance.choice(of_type(lines, "event"))
    tree, leaves = merkle.Tree(), list[str]()
    for at, line in enumerate(lines[1:], 1):
        value = json.loads(line)
        if value["type"] == "event":
            if at == victim:
                value["entry"]["outcome"] = another(value["entry"]["outcome"])
                line = spell(value)
            leaves.append(leaf_of(value))
            tree.append(b64decode(leaves[-1]))
        elif value["type"] == "checkpoint":
            head = Checkpoint(signer.key.name, tree.size, tree.root())
            line = spell({**value, "note": signer.sign(head.text()), "leaves": leaves})
            leaves = []
        changed.append(line)
    return changed


def rewind(lines: Lines, chance: random.Random) -> Lines:
    """An older state of the ledger, true in itself: the last events never happened."""
    heads = of_type(lines, "checkpoint")
    at = chance.choice(heads[:-1])
    size = int(json.loads(lines[at])["note"].split("\n")[1])
    return [*lines[: at + 1], spell({"type": "end", "size": size})]


MUTATIONS: tuple[Mutation, ...] = (
    flip_a_bit,
    remove_a_line,
    double_a_line,
    swap_two_lines,
    swap_two_checkpoints,
    swap_two_notes,
    cut_the_end_off,
    change_a_field,
    change_a_sealed_half,
    change_an_event_and_its_leaf,
    insert_an_event,
    leave_an_event_out_and_number_anew,
    forge_a_checkpoint,
    forge_the_whole,
    rewind,
)


def leaf_of(line: dict[str, object]) -> str:
    entry = line["entry"]
    assert isinstance(entry, dict)
    return b64encode(merkle.leaf_hash(entries.canonical(entry))).decode()


def another(value: object) -> object:
    match value:
        case None:
            return "2026-01-01T00:00:00.000000Z"
        case bool() | int():
            return value + 1
        case str():
            return value[:-1] + ("0" if value[-1:] != "0" else "1")
        case list():
            return [*value, "service"]
    raise AssertionError(value)
