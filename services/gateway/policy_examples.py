"""Worked examples of a brand's own rules."""

from typing import Final

POLICY: Final = {
    "double_opt_in": True,
    "review_hours": 72,
}
POLICY_CHANGE: Final = {"review_hours": 48}
