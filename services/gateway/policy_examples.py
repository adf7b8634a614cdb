"""Worked examples of a brand's own rules."""

from typing import Final

POLICY: Final = {
    "double_opt_in": True,
    "review_hours": 72,
    "expires_after_days": {"marketing": 730, "marketing.events": 365},
    "refresh_days": 30,
}
POLICY_CHANGE: Final = {"expires_after_days": {"marketing": 365}, "refresh_days": 14}
