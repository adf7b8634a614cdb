"""Worked examples of a brand's own rules."""

from typing import Final

POLICY: Final = {
    "double_opt_in": True,
    "quiet_hours": {"start": "21:00", "end": "09:00"},
    "caps": [{"messages": 3, "days": 7}],
    "expires_after_days": None,
    "review_hours": 72,
}
POLICY_CHANGE: Final = {"caps": [{"messages": 3, "days": 7}]}
