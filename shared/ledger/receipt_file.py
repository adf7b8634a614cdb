"""A receipt in a file, verified for somebody at a terminal."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.ledger.notes import NoteKey
from shared.ledger.receipts import LONGEST, ReceiptRefused, open_receipt

GENUINE, REFUSED, UNUSABLE = 0, 1, 2


def run(file: Path, keys: Sequence[str]) -> int:
    """Print what the receipt says, or why it is not to be believed; return the exit code."""
    try:
        text = file.read_text("utf-8")[: 4 * LONGEST]
        known = [NoteKey.parse(key) for key in keys]
    except (OSError, ValueError) as error:
        sys.stderr.write(f"Cannot be checked: {error}\n")
        return UNUSABLE
    try:
        signed, shown = _parts(text)
        receipt = open_receipt(signed, known)
        if shown is not None and _told(shown) != receipt:
            raise ReceiptRefused("what can be read in it is not what was signed")
    except ReceiptRefused as error:
        sys.stderr.write(f"NOT GENUINE: {error}\n")
        return REFUSED
    told = json.dumps(receipt, indent=2, ensure_ascii=False, sort_keys=True)
    sys.stdout.write(f"{told}\n")
    sys.stderr.write("Genuine: signed by the key that was given.\n")
    return GENUINE


def _parts(text: str) -> tuple[str, Any]:
    """Return the signed text, and what stands beside it in the JSON in which it is handed out."""
    if not text.lstrip().startswith("{"):
        return text, None
    try:
        handed_out = json.loads(text)
        return str(handed_out["jws"]), handed_out["receipt"]
    except (ValueError, KeyError) as error:
        raise ReceiptRefused("this JSON holds no `jws` with its `receipt`") from error


def _told(value: Any) -> Any:
    """Return a value without what is null: there, nothing is told."""
    if isinstance(value, dict):
        return {name: _told(each) for name, each in value.items() if each is not None}
    return [_told(each) for each in value] if isinstance(value, list) else value
