"""Worked examples of reviews."""

from services.consent.api.examples import ACCOUNT, PERSON

REVIEW = {
    "id": "0192f0d3-0a1b-7c2d-8e3f-4a5b6c7d8e9f",
    "seq": 4720,
    "person_id": PERSON["id"],
    "account_id": ACCOUNT["id"],
    "address": "123456789",
    "scope": "channel",
    "status": "open",
    "opened_at": "2026-11-22T18:30:00Z",
    "due_at": "2026-11-25T18:30:00Z",
    "decided_at": None,
    "decision": None,
    "decided_by": None,
    "evidence": {
        "source": "chat",
        "at": "2026-11-22T18:30:00Z",
        "language": "it",
        "rule": "free:stop:cancello",
        "score": 0.62,
        "text": "forse è meglio se mi cancello",
    },
}
REVIEWS = {"items": [REVIEW], "next": None}
