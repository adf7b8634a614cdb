"""Worked examples of merges and splits."""

from typing import Final

from services.gateway.examples import LATER, PERSON_ID

OTHER_ID: Final = "019ab0c4-7c00-7000-8000-00000000000d"
MERGE_ID: Final = "019ab0c4-7c00-7000-8000-00000000000e"
SPLIT_ID: Final = "019ab0c4-7c00-7000-8000-00000000000f"

MERGE_IN: Final = {
    "person_id": OTHER_ID,
    "evidence": {"source": "support_desk", "text": "One and the same loyalty card."},
}
MERGED: Final = {
    "id": MERGE_ID,
    "person_id": PERSON_ID,
    "state": "unchanged",
    "receipt": {
        "consent_event_id": MERGE_ID,
        "seq": 4713,
        "person_id": PERSON_ID,
        "recorded_at": LATER,
    },
}
SPLIT_IN: Final = {
    "merge_id": MERGE_ID,
    "evidence": {"source": "support_desk", "text": "Two sisters with one card."},
}
SPLIT: Final = {
    **MERGED,
    "id": SPLIT_ID,
    "receipt": {
        "consent_event_id": SPLIT_ID,
        "seq": 4715,
        "person_id": PERSON_ID,
        "recorded_at": LATER,
    },
}
