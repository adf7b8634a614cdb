"""What is said and answered about campaigns, for the API's description."""

from typing import Any, Final

from services.gateway.examples import (
    ACCOUNT_ID,
    AT,
    CAMPAIGN_ID,
    LATER,
    MESSAGE,
    QUEUED,
    REPLAY_ID,
    STORY_ID,
)
from services.gateway.media_examples import ENDING

Json = dict[str, Any]

CAMPAIGN_IN: Final = {
    "name": "Autumn launch, Italy",
    "story_id": STORY_ID,
    "purpose": "marketing",
    "account_ids": [ACCOUNT_ID],
    "audience": {
        "attributes": {
            "any": [
                {"name": "city", "one_of": ["Torino", "Milano"]},
                {
                    "all": [
                        {"name": "orders", "at_least": 2},
                        {"name": "last_order", "at_least": "2026-06-01"},
                    ]
                },
            ]
        }
    },
}
_ANYTHING: Final = dict.fromkeys(
    (
        "all",
        "any",
        "none",
        "name",
        "is",
        "one_of",
        "present",
        "at_least",
        "at_most",
        "above",
        "below",
    )
)


def _fits(**told: Any) -> Json:
    return {**_ANYTHING, **told}


AUDIENCE: Final = {
    "everyone": None,
    "tags": None,
    "attributes": _fits(
        any=[
            _fits(name="city", one_of=["Torino", "Milano"]),
            _fits(
                all=[
                    _fits(name="orders", at_least=2),
                    _fits(name="last_order", at_least="2026-06-01"),
                ]
            ),
        ]
    ),
    "addresses": None,
}
TOTALS: Final = {
    "accepted": 0,
    "queued": 0,
    "claimed": 0,
    "sending": 0,
    "sent": 0,
    "delivered": 0,
    "read": 0,
    "refused": 0,
    "unknown": 0,
    "partial": 0,
    "cancelled": 0,
    "withheld": {},
}
CAMPAIGN: Final = {
    "id": CAMPAIGN_ID,
    "name": "Autumn launch, Italy",
    "story_id": STORY_ID,
    "variants": [],
    "hold_out": 0.0,
    "purpose": "marketing",
    "account_ids": [ACCOUNT_ID],
    "audience": AUDIENCE,
    "recipients": "frozen",
    "live_until": None,
    "send_at": None,
    "recipient_local_time": False,
    "deadline": None,
    "status": "draft",
    "status_reason": None,
    "created_at": AT,
    "launched_at": None,
    "finished_at": None,
    "expanded": False,
    "totals": TOTALS,
    "ending": None,
    "deferred": {},
    "variant_totals": {},
    "excluded": {},
    "zone_fallbacks": 0,
    "named": None,
}
RUNNING: Final = {
    **CAMPAIGN,
    "status": "running",
    "launched_at": LATER,
    "expanded": True,
    "totals": {
        **TOTALS,
        "accepted": 1200,
        "queued": 700,
        "sent": 499,
        "withheld": {"revoked": 1},
    },
    "ending": ENDING,
    "deferred": {"quiet_hours": 3, "capped": 18},
    "excluded": {"no_consent": 35},
}
CAMPAIGN_ITEM: Final = RUNNING
PREFLIGHT: Final = {
    "eligible": 1200,
    "excluded": {"no_consent": 35, "revoked": 12},
    "withheld": {},
    "deferred": {"quiet_hours": 3, "capped": 18},
    "variants": {},
    "zone_fallbacks": 0,
    "expected_finish_at": "2026-11-22T10:00:43Z",
    "expected_too_late": 0,
    "findings": [],
}
CAMPAIGN_TEST: Final = {"addresses": ["123456789"]}
REPLAY_IN: Final = {"statuses": ["refused"], "reasons": ["not_found"]}
REPLAY: Final = {
    **REPLAY_IN,
    "id": REPLAY_ID,
    "campaign_id": CAMPAIGN_ID,
    "created_at": LATER,
    "queued": 42,
    "ended_at": None,
}
TEST_SENDS: Final = {
    "items": [
        {
            **QUEUED,
            "test_of": CAMPAIGN_ID,
            "purpose": "marketing",
            "person_id": MESSAGE["person_id"],
        }
    ]
}
