"""Verify an export of a consent ledger, offline: one file that can be copied out and run alone.

    python verify.py EXPORT --key NAME+ID+KEY [--checkpoint FILE]

It needs Python 3.11 and `cryptography`, and shares no line with what wrote the export, on purpose.
An export is lines of JSON, each spelled in the one way that RFC 8785 allows:

    {"key":…,"origin":…,"type":"ledger","version":1}
    {"entry":{…},"number":0,"sealed":"base64","type":"event"}      … as many as there are
    {"leaves":["base64",…],"note":"…","type":"checkpoint"}         of the events since the last one
    {"size":1,"type":"end"}

An entry's leaf is SHA-256(0x00 ‖ entry). A checkpoint signs the root of the tree (RFC 9162) of all
leaves so far. The lists of leaves are not believed: they serve to name what does not fit.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LINES = {
    "ledger": {"key", "origin", "type", "version"},
    "event": {"entry", "number", "sealed", "type"},
    "checkpoint": {"leaves", "note", "type"},
    "end": {"size", "type"},
}
ENTRY = {
    *("v", "seq", "id", "brand_id", "account_id", "action", "channel", "purpose", "purposes"),
    *("scope", "held_scope", "outcome", "reason", "platform_at", "recorded_at", "expires_at"),
    *("sealed", "commitment"),
}
_SPELLING = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class Refused(Exception):
    """It is not what it has to be; the text says why."""


class Finding(NamedTuple):
    """Something that does not fit."""

    line: int
    code: str
    text: str


class Key(NamedTuple):
    """A public key, and the name of the log that it signs."""

    name: str
    id: bytes
    public: bytes


class Head(NamedTuple):
    """What a checkpoint says."""

    origin: str
    size: int
    root: bytes


class Event(NamedTuple):
    """A line that tells an event."""

    line: int
    number: object
    name: str
    leaf: bytes


def read_key(text: str) -> Key:
    """Read a key as the log spells it."""
    name, _, rest = text.strip().partition("+")
    id, _, spelled = rest.partition("+")
    raw = unbase64(spelled)
    made = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if len(raw) != 33 or raw[0] != 1 or made.hex() != id:
        raise Refused("this is no Ed25519 key, or not all of it")
    return Key(name, made, raw[1:])


def read_head(note: str, keys: Sequence[Key]) -> Head:
    """Return what one of the keys has signed."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    if not any(is_signed(text, line, key) for line in signatures.splitlines() for key in keys):
        raise Refused("its signature is not by the log's key")
    if text + "\n" + "\n".join(signatures.splitlines()) + "\n" != note:
        raise Refused("it is not spelled as a note is")
    try:
        origin, size, root, end = text.split("\n")
        head = Head(origin, int(size), base64.b64decode(root, validate=True))
    except ValueError:
        raise Refused("it is no checkpoint") from None
    if (
        end
        or str(head.size) != size
        or len(head.root) != 32
        or origin not in {k.name for k in keys}
    ):
        raise Refused("it is no checkpoint of this log")
    return head


def is_signed(text: str, line: str, key: Key) -> bool:
    """Is this line the key's signature of the text?"""
    start = f"— {key.name} "
    try:
        raw = base64.b64decode(line.removeprefix(start), validate=True)
        if not line.startswith(start) or line != start + base64.b64encode(raw).decode():
            return False
        Ed25519PublicKey.from_public_bytes(key.public).verify(raw[4:], text.encode())
    except (ValueError, InvalidSignature):
        return False
    return raw[:4] == key.id


def canonical(value: object) -> bytes:
    """Return the one spelling of a value."""
    return _SPELLING.encode(value).encode()


def read_line(raw: bytes) -> dict[str, Any]:
    """Return a line of an export; nothing may be in it that nobody reads."""
    try:
        value = json.loads(raw)
        strict = canonical(value) + b"\n" == raw
    except (ValueError, RecursionError):
        raise Refused("it is no JSON") from None
    if not strict:
        raise Refused("it is not spelled as the export spells it, or cut off")
    if not isinstance(value, dict) or LINES.get(str(value.get("type"))) != set(value):
        raise Refused("it is none of the lines that an export has")
    return value


def unbase64(text: object) -> bytes:
    """Return bytes that are spelled in the one right way."""
    try:
        raw = base64.b64decode(str(text), validate=True)
    except ValueError:  # binascii.Error is one
        raw = b""
    if base64.b64encode(raw).decode() != text:
        raise Refused("a value is not base64")
    return raw


class Tree:
    """The tree of all leaves so far: the roots of its complete parts, the largest first."""

    def __init__(self, size: int = 0, parts: Iterable[bytes] = ()) -> None:
        self.size = size
        self.parts = list(parts)

    def add(self, leaf: bytes) -> None:
        """Put a leaf at the end."""
        number = self.size
        while number % 2:
            leaf = hashlib.sha256(b"\x01" + self.parts.pop() + leaf).digest()
            number //= 2
        self.parts.append(leaf)
        self.size += 1

    def plus(self, leaves: Iterable[bytes]) -> "Tree":
        """Return the tree with more leaves."""
        grown = Tree(self.size, self.parts)
        for leaf in leaves:
            grown.add(leaf)
        return grown

    def fits(self, head: Head) -> bool:
        """Is this the tree that was signed?"""
        if self.size != head.size:
            return False
        root = self.parts[-1]
        for part in reversed(self.parts[:-1]):
            root = hashlib.sha256(b"\x01" + part + root).digest()
        return root == head.root


@dataclass
class Verification:
    """One export, line by line. `known` are heads that were kept elsewhere, by a witness say."""

    keys: Sequence[Key]
    known: Sequence[Head] = ()
    findings: list[Finding] = field(default_factory=list)
    checkpoints: int = 0
    tree: Tree = field(default_factory=Tree)
    _line: int = 0
    _ended: bool = False
    _lost: bool = False
    _events: list[Event] = field(default_factory=list)
    _listed: list[bytes] = field(default_factory=list)

    def take(self, raw: bytes) -> None:
        """Read the next line."""
        self._line += 1
        try:
            line = read_line(raw)
            if self._ended:
                raise Refused("it comes after the end")
            if (line["type"] == "ledger") != (self._line == 1):
                raise Refused("an export begins with a line that names the ledger, and has one")
            getattr(self, f"_take_{line['type']}")(line)
        except Refused as error:
            self._find("unreadable", f"Line {self._line} cannot be taken as it is: {error}.")

    def finish(self) -> list[Finding]:
        """Return everything that was found."""
        if not self._ended:
            self._find("truncated", "The export has no end: lines are missing.")
        if self._events and not self._lost:
            first, last = self._events[0], self._events[-1]
            text = f"No checkpoint covers {first.name} to {last.name}: inserted, or not yet signed."
            self._find("unsigned", text)
        for head in self.known:
            if head.size > self.tree.size and not self._lost:
                text = f"A checkpoint of {head.size} events is known; here are {self.tree.size}"
                self._find("rewound", f"{text}: the end of the ledger was taken away.")
        return self.findings

    def _take_ledger(self, line: dict[str, Any]) -> None:
        if line["version"] != 1 or isinstance(line["version"], bool):
            raise Refused("this verifier knows version 1 of the export")
        key = read_key(str(line["key"]))
        if key not in self.keys or line["origin"] != key.name:
            self._find("stranger", "The export is of another log, or names another key.")

    def _take_event(self, line: dict[str, Any]) -> None:
        entry = line["entry"]
        if not isinstance(entry, dict) or set(entry) != ENTRY or entry["v"] != 1:
            raise Refused("its entry is not one of version 1")
        name = f"event {entry['id']} (number {line['number']}, {entry['action']})"
        leaf = hashlib.sha256(b"\x00" + canonical(entry)).digest()
        self._events.append(Event(self._line, line["number"], name, leaf))
        if not self.keys[0].name.endswith(f"/{entry['brand_id']}"):
            self._find("stranger", f"The {name} is another brand's.")
        if hashlib.sha256(unbase64(line["sealed"])).hexdigest() != entry["sealed"]:
            self._find("changed", f"The sealed half of the {name} is not the one it was.")

    def _take_checkpoint(self, line: dict[str, Any]) -> None:
        if not isinstance(line["leaves"], list):
            raise Refused("its leaves are no list")
        listed = [unbase64(each) for each in line["leaves"]]
        try:
            head = read_head(str(line["note"]), self.keys)
        except Refused as error:
            self._listed += listed
            self._find("forged", f"The checkpoint in line {self._line} is not the log's: {error}.")
            return
        self.checkpoints += 1
        if self._lost:
            return
        if head.size <= self.tree.size:
            text = f"The checkpoint of {head.size} events in line {self._line} comes after one of"
            self._find("rewound", f"{text} {self.tree.size}: doubled, moved or put back.")
            return
        self._settle(head, listed)

    def _settle(self, head: Head, listed: list[bytes]) -> None:
        """Compare what came since the last good checkpoint with what this one signs."""
        wanted = head.size - self.tree.size
        covered, later = self._events[:wanted], self._events[wanted:]
        by_list = self._listed + listed
        if self.tree.plus(event.leaf for event in covered).fits(head):
            leaves = [event.leaf for event in covered]
            if by_list != leaves:
                text = f"The list of leaves in line {self._line} was changed, or a checkpoint"
                self._find("list", f"{text} before it was taken away. The events are untouched.")
            if later:
                text = f"The checkpoint in line {self._line} comes after events that"
                self._find("moved", f"{text} it does not cover: it was moved.")
            for number, event in enumerate(covered, self.tree.size):
                self._check_number(event, number)
        elif self.tree.plus(by_list).fits(head):
            self._name(self._events, by_list)
            leaves, later = by_list, []
        elif wanted > len(self._events):
            text = f"The checkpoint in line {self._line} signs {wanted} more events and"
            self._find("missing", f"{text} {len(self._events)} are here: removed, or it was moved.")
            return
        else:
            self._give_up(head)
            return
        self._accept(leaves)
        self._events, self._listed = later, []

    def _accept(self, leaves: Iterable[bytes]) -> None:
        for leaf in leaves:
            self.tree.add(leaf)
            for head in self.known:
                if head.size == self.tree.size and not self.tree.fits(head):
                    text = f"The checkpoint of {head.size} events that is known has another root"
                    self._find("forked", f"{text}: this is another history.")

    def _name(self, events: Sequence[Event], listed: Sequence[bytes]) -> None:
        """Say which events do not fit a list of leaves that was signed."""
        places = {leaf: number for number, leaf in enumerate(listed, self.tree.size)}
        missing = set(places.values())
        strangers, highest = [], -1
        for event in events:
            place = places.get(event.leaf)
            if place is None:
                strangers.append(event)
            elif place not in missing:
                self._find("doubled", f"The {event.name} is here twice.", event.line)
            else:
                missing.discard(place)
                self._check_number(event, place)
                if place < highest:
                    text = f"was moved: its place is number {place}"
                    self._find("moved", f"The {event.name} {text}.", event.line)
                highest = max(highest, place)
        for event in strangers:
            if isinstance(event.number, int) and event.number in missing:
                missing.discard(event.number)
                self._find("changed", f"The {event.name} was changed.", event.line)
            else:
                self._find("inserted", f"The {event.name} was inserted.", event.line)
        for number in sorted(missing):
            self._find("removed", f"Event number {number} was removed.")

    def _check_number(self, event: Event, number: int) -> None:
        if event.number != number or isinstance(event.number, bool):
            self._find("renumbered", f"The {event.name} is number {number}.", event.line)

    def _give_up(self, head: Head) -> None:
        span = f"{self.tree.size} to {head.size - 1}"
        text = f"Among the events number {span} some were changed, removed, inserted or"
        more = "moved, and the list of leaves with them. Nothing after them can be checked."
        self._find("altered", f"{text} {more}")
        self._lost = True

    def _take_end(self, line: dict[str, Any]) -> None:
        self._ended = True
        if (line["size"] != self.tree.size or isinstance(line["size"], bool)) and not self._lost:
            text = f"The export says that it has {line['size']} signed events and"
            self._find("truncated", f"{text} has {self.tree.size}.")

    def _find(self, code: str, text: str, line: int | None = None) -> None:
        self.findings.append(Finding(line or self._line, code, text))


def verify(lines: Iterable[bytes], keys: Sequence[Key], known: Sequence[Head] = ()) -> Verification:
    """Verify an export; its `findings` are empty when all of it is what was signed."""
    verification = Verification(keys, known)
    for raw in lines:
        verification.take(raw)
    verification.finish()
    return verification


def run(export: Path, keys: Sequence[str], checkpoints: Sequence[Path] = ()) -> int:
    """Verify a file and say what was found; return 0 when all is well, 1 when not, 2 for misuse."""
    try:
        trusted = [read_key(key) for key in keys]
        if len({key.name for key in trusted}) != 1:
            raise Refused("give the keys of one log")
        known = [read_head(path.read_text(), trusted) for path in checkpoints]
        with export.open("rb") as lines:
            done = verify(lines, trusted, known)
    except (Refused, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"Nothing was verified: {error}\n")
        return 2
    for finding in done.findings:
        # The file may be anybody's: nothing in it shall speak to a terminal.
        text = "".join(each if each.isprintable() else "?" for each in finding.text)
        sys.stdout.write(f"line {finding.line}: {finding.code}: {text}\n")
    what = f"{done.tree.size} events under {done.checkpoints} checkpoints of {trusted[0].name}"
    if done.findings:
        sys.stdout.write(f"NOT WHAT WAS SIGNED: {len(done.findings)} findings in {what}.\n")
        return 1
    sys.stdout.write(f"VERIFIED: {what}.\n")
    sys.stdout.write("" if known else "Whether more was taken off the end, --checkpoint shows.\n")
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Verify an export of a consent ledger.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--key", action="append", required=True, help="the log's NAME+ID+KEY")
    parser.add_argument("--checkpoint", action="append", type=Path, default=[], help="kept earlier")
    given = parser.parse_args()
    return run(given.export, given.key, given.checkpoint)


if __name__ == "__main__":
    sys.exit(main())
