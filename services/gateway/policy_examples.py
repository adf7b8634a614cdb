"""Worked examples of a brand's own rules."""

from typing import Final

POLICY: Final = {
    "double_opt_in": True,
    "review_hours": 72,
    "quiet_hours": {"start": "21:30", "end": "08:30"},
    "caps": [{"messages": 1, "days": 1}, {"messages": 4, "days": 30}],
}
POLICY_CHANGE: Final = {"quiet_hours": {"start": "21:30", "end": "08:30"}}
