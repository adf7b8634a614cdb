"""Worked examples of a brand's own rules."""

from typing import Final

POLICY: Final = {
    "double_opt_in": True,
    "review_hours": 72,
    "quiet_hours": {"start": "21:30", "end": "08:30"},
    "caps": [{"messages": 1, "days": 1}, {"messages": 4, "days": 30}],
    "expires_after_days": {"marketing": 730, "marketing.events": 365},
    "refresh_days": 30,
}
POLICY_CHANGE: Final = {
    "expires_after_days": {"marketing": 365},
    "quiet_hours": {"start": "21:30", "end": "08:30"},
}
