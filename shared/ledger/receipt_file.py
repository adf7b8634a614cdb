"""A receipt in a file, verified for somebody at a terminal."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

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
        receipt = open_receipt(_signed(text), known)
    except ReceiptRefused as error:
        sys.stderr.write(f"NOT GENUINE: {error}\n")
        return REFUSED
    told = json.dumps(receipt, indent=2, ensure_ascii=False, sort_keys=True)
    sys.stdout.write(f"{told}\n")
    sys.stderr.write("Genuine: signed by the key that was given.\n")
    return GENUINE


def _signed(text: str) -> str:
    """Return the signed text, also out of the JSON in which it is handed out."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return str(json.loads(text)["jws"])
    except (ValueError, KeyError) as error:
        raise ReceiptRefused("this JSON holds no `jws`") from error
