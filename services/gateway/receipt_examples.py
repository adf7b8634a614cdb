"""A worked example of a receipt."""

from typing import Final

from services.gateway.examples import ACCOUNT_ID, AT, BRAND_ID, CONSENT_ID, PERSON_ID

RECEIPT: Final = {
    "receipt": {
        "schema_version": "permesso/receipt/1",
        "record_id": CONSENT_ID,
        "issued_at": AT,
        "controller": {"id": BRAND_ID, "name": "Caffè Aurora", "country": "IT"},
        "data_subject": PERSON_ID,
        "processing": [{"purpose": "marketing", "legal_basis": "consent"}],
        "event": {
            "action": "grant",
            "state": "granted",
            "scope": "purpose",
            "channel": "telegram",
            "account_id": ACCOUNT_ID,
            "address": "123•••789",
            "recorded_at": AT,
            "told_at": None,
            "expires_at": None,
            "source": "web_form",
            "rule": None,
            "reason": None,
        },
        "notice": {"wording": "Sì, scrivetemi.", "version": "2026-10", "language": "it"},
        "withdrawal": "Write STOP in this chat, use the link to your choices, or ask the "
        "controller.",
        "ledger": {"log": f"permesso.local/ledger/{BRAND_ID}", "seq": 4711, "leaf": 0},
    },
    "jws": "eyJhbGciOiJFZERTQSJ9.eyJzY2hlbWFfdmVyc2lvbiI6InBlcm1lc3NvIn0.c2lnbmF0dXJl",
    "key": f"permesso.local/ledger/{BRAND_ID}"
    "+1b2c3d4e+AVdKlcDIDIlLjZQ5tJr7kYz4kq7Vg5mNp2A0W8Xc3eFh",
}
