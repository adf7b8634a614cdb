"""Worked examples of merges, splits and moves."""

from typing import Any, Final

_BRAND: Final = "0192f0e1-0000-7000-8000-000000000001"
_ACCOUNT: Final = "0192f0e1-0000-7000-8000-000000000002"
_KEPT: Final = "0192f0e1-0000-7000-8000-000000000003"
_GONE: Final = "0192f0e1-0000-7000-8000-000000000004"
_MERGE: Final = "0192f0e1-0000-7000-8000-000000000005"
_SPLIT: Final = "0192f0e1-0000-7000-8000-000000000006"
_MOVE: Final = "0192f0e1-0000-7000-8000-000000000007"
_AT: Final = "2026-11-22T09:00:00Z"
_EVIDENCE: Final = {"source": "support_desk", "text": "One and the same loyalty card."}

MERGE_IN: Final = {
    "id": _MERGE,
    "brand_id": _BRAND,
    "kept_id": _KEPT,
    "gone_id": _GONE,
    "evidence": _EVIDENCE,
}
MERGED: Final[dict[str, Any]] = {
    "id": _MERGE,
    "seq": 4713,
    "person_id": _KEPT,
    "state": "revoked",
    "reason": None,
    "effective_at": _AT,
    "reaches": [
        {"account_id": _ACCOUNT, "address": "987654321", "purposes": ["marketing", "measuring"]}
    ],
    "heard": None,
    "reply": None,
    "reply_wording": None,
}
SPLIT_IN: Final = {
    "id": _SPLIT,
    "brand_id": _BRAND,
    "kept_id": _KEPT,
    "merge_id": _MERGE,
    "evidence": {"source": "support_desk", "text": "Two sisters with one card."},
}
SPLIT: Final = {**MERGED, "id": _SPLIT, "seq": 4715, "state": "unchanged", "reaches": []}
MOVE_IN: Final = {
    "id": _MOVE,
    "brand_id": _BRAND,
    "account_id": _ACCOUNT,
    "address": "-4012345",
    "new_address": "-1001234567890",
    "at": _AT,
}
MOVED: Final = {**SPLIT, "id": _MOVE, "seq": 4716, "reason": "moved"}
MERGES: Final = {
    "items": [
        {
            "id": _MERGE,
            "person_id": _GONE,
            "into": _KEPT,
            "at": _AT,
            "addresses": [{"channel": "telegram", "address": "987654321"}],
        }
    ]
}
