"""Worked examples of imports, for the API's description."""

from typing import Final

from services.gateway.examples import ACCOUNT_ID, AT, LATER

IMPORT_ID: Final = "019ab0c4-7c00-7000-8000-00000000000d"
IMPORT_FILE: Final = (
    "address,source,wording,at,language,tags\r\n"
    '123456789,shop_till,"Sì, scrivetemi su Telegram.",2026-10-01T09:00:00Z,it,espresso|regular\r\n'
    "987654321,,,,,\r\n"
)
IMPORT_LINES: Final = (
    '{"address": "123456789", "language": "it", "tags": ["espresso", "regular"], "evidence": '
    '{"source": "shop_till", "wording": "Sì, scrivetemi su Telegram."}}\n'
    '{"address": "987654321"}\n'
)
IMPORT: Final = {
    "id": IMPORT_ID,
    "account_id": ACCOUNT_ID,
    "purpose": "marketing",
    "status": "done",
    "rows": 2,
    "granted": 1,
    "known": 0,
    "suppressed": 0,
    "quarantined": 1,
    "reasons": {"no_evidence": 1},
    "created_at": AT,
    "ended_at": LATER,
}
IMPORT_ASIDE: Final = {"items": [{"row": 2, "reason": "no_evidence"}], "next": None}
