"""Worked examples of reviews."""

from typing import Final

from services.gateway.examples import ACCOUNT_ID, AT, PERSON_ID

REVIEW_ID: Final = "0192f0d3-0a1b-7c2d-8e3f-4a5b6c7d8e9f"
REVIEW: Final = {
    "id": REVIEW_ID,
    "seq": 4720,
    "person_id": PERSON_ID,
    "account_id": ACCOUNT_ID,
    "address": "123456789",
    "scope": "channel",
    "status": "open",
    "opened_at": AT,
    "due_at": "2026-11-25T10:00:00Z",
    "decided_at": None,
    "decision": None,
    "decided_by": None,
    "evidence": {
        "source": "chat",
        "at": AT,
        "language": "en",
        "rule": "free:end:unsubscribe",
        "score": 0.62,
        "text": "Maybe I should unsubscribe.",
    },
}
DECISION: Final = {"decision": "resume", "note": "She meant another newsletter."}
DECIDED: Final = {
    **REVIEW,
    "status": "decided",
    "decided_at": "2026-11-22T11:00:00Z",
    "decision": "resume",
    "decided_by": "key:0192f0c0-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
}
