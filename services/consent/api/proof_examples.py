"""Worked examples of a dossier, whose hashes are true, and of a statement."""

from typing import Final

from services.consent.api.examples import CHECKPOINT, PROOF

STATEMENT_IN: Final = {"sha256": "b1d1f9c1d5a2f1ac0ec5e9dd3ca2d79d25b4f1a6d3c68d9e8d8b7d9a51c7e1f0"}
STATEMENT: Final = {
    "note": str(CHECKPOINT["key"]).partition("+")[0]
    + f" statement\n{STATEMENT_IN['sha256']}\n2026-11-22T10:00:02.000000Z\n\n— "
    + str(CHECKPOINT["key"]).partition("+")[0]
    + " ZUd9BLcdVwNufhE3asFUcp14WWiEb56KNF0MiPL+P6Y3eKA/HHyAYYaEiCLG"
    "ZblmbGrJkActxcaKO7GVCZdwHmhGhAk=\n"
}
DOSSIER: Final = {"events": [{"proof": PROOF, "content": None, "evidence": None}]}
