"""Verify a proof offline: why a person got a message, or that one consent is in the log.

    python verify_proof.py PROOF.json --key NAME+ID+KEY [--checkpoint FILE]

PROOF.json is what `GET /v1/messages/{id}/proof` or `GET /v1/ledger/proofs/{id}` answered. It needs
Python 3.11, `cryptography` and `verify.py` beside it, and shares no line with what wrote the proof.

    message proof   statement      the document's hash under the log's key: nothing was changed
                    consents       each as below; and does it permit (or forbid) this very message?
    consent         entry          its leaf is in the tree (RFC 9162) whose root the log has signed
                    content        SHA-256 of it is the entry's commitment
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

try:
    from shared.ledger import verify as log
except ImportError:  # copied out, and run alone
    import verify as log  # type: ignore[import-not-found, no-redef]

CLOCKS_APART = timedelta(seconds=5)
"""How far the clocks of the ledger's database and of the sender may be from each other."""
DOCUMENT = {
    *("type", "version", "brand_id", "issued_at", "message", "content", "permission"),
    *("consents", "statement"),
}
LOG_PROOF = {"entry", "path", "checkpoint"}
_YES = ("grant", "confirm", "import")


class Finding(NamedTuple):
    """Something that does not fit."""

    where: str
    text: str


class Fact(NamedTuple):
    """Something to show a reader; `signed` says that the log has signed it."""

    part: str
    name: str
    value: str
    signed: bool


@dataclass
class Report:
    """What a proof says, and what is wrong with it."""

    kind: str = ""
    findings: list[Finding] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    def find(self, where: str, text: str) -> None:
        """Write down something that does not fit."""
        self.findings.append(Finding(where, text))

    def check(self, true: object, where: str, text: str) -> None:
        """Write it down unless it is so."""
        if not true:
            self.find(where, text)

    def tell(self, part: str, facts: dict[str, Any], *, signed: bool) -> None:
        """Write down what a reader wants to know."""
        for name, value in facts.items():
            if value not in (None, "", [], ()):
                self.facts.append(Fact(part, name, _shown(value), signed))


def verify(document: Any, keys: Sequence[log.Key], known: Sequence[log.Head] = ()) -> Report:
    """Verify a proof; all is well when the report's `findings` are empty."""
    report = Report()
    try:
        if isinstance(document, dict) and set(document) == LOG_PROOF:
            report.kind = "consent"
            _take_proof(report, document, keys, known, "proof")
        elif isinstance(document, dict) and document.get("type") == "permesso.message-proof":
            report.kind = "message"
            _take_message_proof(report, document, keys, known)
        else:
            report.find("type", "This is no proof that this verifier knows.")
    except (log.Refused, ValueError, TypeError, KeyError, AttributeError) as error:
        text = f"It cannot be read any further: {type(error).__name__} {error}"
        report.find("form", f"The proof is not made as a proof is. {text}")
    return report


def document_hash(value: Any) -> str:
    """Return the SHA-256 of a value as RFC 8785 spells it."""
    return hashlib.sha256(log.canonical(_plain(value))).hexdigest()


def _take_message_proof(
    report: Report, document: dict[str, Any], keys: Sequence[log.Key], known: Sequence[log.Head]
) -> None:
    report.check(
        set(document) == DOCUMENT and document["version"] == 1, "form", "This is not version 1."
    )
    _take_statement(report, document, keys)
    brand = document["brand_id"]
    report.check(keys[0].name.endswith(f"/{brand}"), "brand_id", "It is another brand's proof.")
    message, permission = document["message"], document["permission"]
    _tell_message(report, document)
    consents = document["consents"]
    for number, consent in enumerate(consents):
        where = f"consents/{number}"
        entry = _take_proof(report, consent["proof"], keys, known, f"{where}/proof")
        report.check(entry["brand_id"] == brand, where, "The consent is another brand's.")
        _take_content(report, consent, entry, where)
    named = permission["consent_event_id"]
    report.check(
        named == message["consent_event_id"], "permission", "The message names another one."
    )
    kept_back = message["status"] in ("withheld", "partial") or not message["attempts"]
    report.check(
        permission["allowed"] is True or kept_back, "permission", "It was tried without yes."
    )
    if not consents:
        report.check(named is None, "consents", "The consent is missing.")
        needless = permission["allowed"] is not True or message["purpose"] == "reply"
        report.check(needless, "consents", "It was sent, and no consent is shown.")
        return
    first = consents[0]
    report.check(
        first["proof"]["entry"]["event_id"] == named, "consents/0", "It is another consent."
    )
    _take_answer(report, message, permission, first)


def _take_statement(report: Report, document: dict[str, Any], keys: Sequence[log.Key]) -> None:
    text, _, signatures = str(document["statement"]).rpartition("\n\n")
    text += "\n"
    signed = any(log.is_signed(text, line, key) for line in signatures.splitlines() for key in keys)
    report.check(signed, "statement", "The statement is not signed by the log's key.")
    report.check(
        f"{text}\n" + "".join(f"{line}\n" for line in signatures.splitlines())
        == document["statement"]
        and len(signatures.splitlines()) == 1,
        "statement",
        "The statement is not spelled as a note is.",
    )
    digest = document_hash({name: each for name, each in document.items() if name != "statement"})
    lines = text.split("\n")
    report.check(
        len(lines) == 4 and lines[0] in {f"{key.name} statement" for key in keys},
        "statement",
        "The statement is of another log.",
    )
    report.check(digest in lines[1:2], "statement", "The document was changed since it was issued.")


def _take_proof(
    report: Report,
    proof: dict[str, Any],
    keys: Sequence[log.Key],
    known: Sequence[log.Head],
    where: str,
) -> dict[str, Any]:
    """Check that the entry is in the log, and return it."""
    logged, checkpoint = proof["entry"], proof["checkpoint"]
    entry = logged["entry"]
    if not isinstance(entry, dict) or set(entry) != log.ENTRY or entry["v"] != 1:
        raise log.Refused(f"{where} has no entry of version 1: somebody may have deleted it")
    leaf = hashlib.sha256(b"\x00" + log.canonical(entry)).digest()
    report.check(leaf == log.unbase64(logged["leaf"]), where, "The entry was changed.")
    report.check(logged["event_id"] == entry["id"], where, "It names another event than its entry.")
    for key in keys:
        report.check(key.name.endswith(f"/{entry['brand_id']}"), where, "It is another brand's.")
    try:
        head = log.read_head(str(checkpoint["note"]), keys)
    except log.Refused as error:
        report.find(where, f"The checkpoint is not the log's: {error}.")
        return dict(entry)
    report.check(
        (checkpoint["size"], log.unbase64(checkpoint["root"])) == (head.size, head.root)
        and not isinstance(checkpoint["size"], bool),
        where,
        "The checkpoint's size or root is not the signed one.",
    )
    report.check(log.read_key(str(checkpoint["key"])) in keys, where, "It names another key.")
    path = [log.unbase64(each) for each in proof["path"]]
    report.check(
        _includes(leaf, logged["number"], head, path), where, "The entry is not at that place."
    )
    for kept in known:
        same = (kept.size, kept.root) == (head.size, head.root)
        if kept.size == head.size:
            report.check(same, where, "The kept checkpoint has another root: another history.")
        else:
            text = f"It is under {head.size} events, the kept checkpoint under {kept.size}; ask for"
            report.find(where, f"{text} the proof with size={kept.size}.")
    _tell_entry(report, where, entry, head)
    return dict(entry)


def _take_content(
    report: Report, consent: dict[str, Any], entry: dict[str, Any], where: str
) -> None:
    """Check that the opened evidence is what was sealed then."""
    content = consent["content"]
    if content is None:
        report.check(consent["evidence"] is None, where, "There is evidence that nothing binds.")
        report.tell(where, {"evidence": "no longer readable: its key was destroyed"}, signed=False)
        return
    made = hashlib.sha256(content.encode()).hexdigest()
    report.check(made == entry["commitment"], where, "The evidence is not what was sealed then.")
    opened = json.loads(content)
    stated = {name: each for name, each in consent["evidence"].items() if each is not None}
    report.check(
        _plain(stated) == _plain(opened["evidence"]), where, "The evidence is another one."
    )
    subject = opened.get("subject", {})
    report.tell(
        where,
        {"channel and address": f"{subject.get('channel')} {subject.get('address')}"},
        signed=True,
    )
    report.tell(where, opened["evidence"], signed=True)
    if webhook := consent.get("webhook"):
        if (body := webhook["body"]) is not None:
            made = hashlib.sha256(body.encode()).hexdigest()
            report.check(made == webhook["sha256"], where, "The webhook does not fit its hash.")
        report.check(
            webhook["inbox_id"] == opened["evidence"].get("inbox_id"),
            where,
            "It is another webhook.",
        )
        report.tell(where, {"webhook received": webhook["received_at"]}, signed=False)


def _take_answer(
    report: Report, message: dict[str, Any], permission: dict[str, Any], consent: dict[str, Any]
) -> None:
    """Does this consent permit, or forbid, this very message?"""
    entry = consent["proof"]["entry"]["entry"]
    covers = message["purpose"] in entry["purposes"] or (
        message["purpose"].startswith("marketing.") and "marketing" in entry["purposes"]
    )
    report.check(covers, "consents/0", "The consent is not for this message's purpose.")
    opened = None if consent["content"] is None else json.loads(consent["content"])
    if permission["allowed"] is True:
        report.check(
            entry["action"] in _YES and entry["outcome"] == "granted", "consents/0", "It is no yes."
        )
        report.check(
            entry["account_id"] == message["account_id"],
            "consents/0",
            "The yes is for another account.",
        )
        if opened is not None:
            same = opened["subject"]["address"] == message["address"]
            report.check(same, "consents/0", "The yes is another address's.")
        _take_times(report, message, entry)
    elif permission["reason"] == "revoked" and opened is not None:
        key = (message["account_id"], message["address"])
        held = {(each["account_id"], each["address"]) for each in opened["reaches"]}
        held.add((entry["account_id"], opened["subject"]["address"]))
        report.check(entry["outcome"] == "revoked", "consents/0", "It is no revocation.")
        report.check(key in held, "consents/0", "The revocation does not reach this address.")


def _take_times(report: Report, message: dict[str, Any], entry: dict[str, Any]) -> None:
    """Granted, then asked, then sent: of the last attempt, which this consent permitted."""
    started = [_moment(each["started_at"]) for each in message["attempts"]]
    if not started:
        report.find("message/attempts", "It is said to be permitted, and nothing was tried.")
        return
    granted = _moment(entry["recorded_at"])
    in_order = granted <= max(started) + CLOCKS_APART
    report.check(in_order, "message/attempts", "It was sent before the consent was recorded.")
    if entry["expires_at"] is not None:
        still = max(started) <= _moment(entry["expires_at"]) + CLOCKS_APART
        report.check(still, "message/attempts", "It was sent after the consent had run out.")


def _includes(leaf: bytes, number: Any, head: log.Head, path: Sequence[bytes]) -> bool:
    """Walk from the leaf to the root (RFC 9162, 2.1.3.2)."""
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < head.size:
        return False
    last, found = head.size - 1, leaf
    for other in path:
        if last == 0:
            return False
        if number % 2 or number == last:
            found = hashlib.sha256(b"\x01" + other + found).digest()
            while number and not number % 2:
                number, last = number // 2, last // 2
        else:
            found = hashlib.sha256(b"\x01" + found + other).digest()
        number, last = number // 2, last // 2
    return last == 0 and found == head.root


def _tell_message(report: Report, document: dict[str, Any]) -> None:
    message, permission, content = (document[name] for name in ("message", "permission", "content"))
    answer = {True: "yes", False: "no", None: "nobody was asked"}[permission["allowed"]]
    report.tell(
        "message",
        {
            "message": message["id"],
            "to": message["address"],
            "by account": message["account_id"],
            "purpose": message["purpose"],
            "campaign": message["campaign_id"],
            "state": message["status"],
            "may it be sent?": f"{answer} ({permission['reason']})",
        },
        signed=False,
    )
    for each in message["attempts"]:
        told = f"part {each['part']} at {each['started_at']}: {each['outcome']}"
        ids = ", ".join(each["platform_ids"])
        report.tell("message", {"attempt": f"{told} {ids}".strip()}, signed=False)
    if content is not None:
        made = document_hash(content["parts"])
        report.check(made == content["sha256"], "content", "What it says does not fit its hash.")
        report.tell("message", {"story": content["story_id"], "content sha256": made}, signed=False)


def _tell_entry(report: Report, where: str, entry: dict[str, Any], head: log.Head) -> None:
    names = ("id", "seq", "action", "outcome", "reason", "channel", "purpose", "scope")
    told = {name: entry[name] for name in (*names, "recorded_at", "platform_at", "expires_at")}
    report.tell(where, {**told, "in the log of": f"{head.size} events, {head.origin}"}, signed=True)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment


def _plain(value: Any) -> Any:
    """Return a value in which 1.0 is 1."""
    return json.loads(json.dumps(value), parse_float=_number)


def _number(text: str) -> float:
    return int(float(text)) if float(text).is_integer() else float(text)


def _shown(value: Any) -> str:
    """Return a value for a terminal; the file may be anybody's."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else "?" for each in text)


Show = Callable[[Report], None]


def run(proof: Path, keys: Sequence[str], checkpoints: Sequence[Path] = (), *, show: Show) -> int:
    """Verify a file and show the report; return 0 when all is well, 1 when not, 2 for misuse."""
    try:
        trusted = [log.read_key(key) for key in keys]
        if len({key.name for key in trusted}) != 1:
            raise log.Refused("give the keys of one log")
        known = [log.read_head(path.read_text(), trusted) for path in checkpoints]
        document = json.loads(proof.read_bytes())
    except (log.Refused, OSError, ValueError, RecursionError) as error:
        sys.stderr.write(f"Nothing was verified: {error}\n")
        return 2
    report = verify(document, trusted, known)
    show(report)
    return 1 if report.findings else 0


def show_plainly(report: Report) -> None:
    """Write a report as text."""
    for fact in report.facts:
        mark = "signed in the log" if fact.signed else "stated"
        sys.stdout.write(f"{fact.part}: {fact.name}: {fact.value}  [{mark}]\n")
    for finding in report.findings:
        sys.stdout.write(f"WRONG: {finding.where}: {_shown(finding.text)}\n")
    sys.stdout.write("NOT PROVEN\n" if report.findings else f"VERIFIED: a {report.kind} proof\n")


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Verify why a person got a message.")
    parser.add_argument("proof", type=Path)
    parser.add_argument("--key", action="append", required=True, help="the log's NAME+ID+KEY")
    parser.add_argument("--checkpoint", action="append", type=Path, default=[], help="kept earlier")
    given = parser.parse_args()
    return run(given.proof, given.key, given.checkpoint, show=show_plainly)


if __name__ == "__main__":
    sys.exit(main())
