"""Worked examples for the OpenAPI page: one brand, one person, from yes to no."""

from typing import Any

from pydantic import BaseModel

_BRAND = "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5"
_ACCOUNT = "0192f0c1-7b1e-7a52-9c0d-1e2f3a4b5c6d"
_PERSON = "0192f0c4-0d9a-7f11-8a2b-3c4d5e6f7a8b"
_GRANT = "0192f0c5-5e21-7d30-b1c2-d3e4f5a6b7c8"
_REVOCATION = "0192f0d0-91ab-7e45-a6b7-c8d9e0f1a2b3"
_ADDRESS = "123456789"
_MORNING = "2026-11-22T09:00:00Z"
_EVENING = "2026-11-22T18:30:00Z"

BRAND = {
    "id": _BRAND,
    "name": "Caffè Aurora",
    "country": "IT",
    "languages": ["it", "en"],
    "timezone": "Europe/Rome",
}
POLICY = {
    "double_opt_in": True,
    "review_hours": 72,
    "quiet_hours": {"start": "21:30", "end": "08:30"},
    "caps": [{"messages": 1, "days": 1}, {"messages": 4, "days": 30}],
    "expires_after_days": {"marketing": 730},
    "refresh_days": 30,
}
ACCOUNT = {"id": _ACCOUNT, "brand_id": _BRAND, "channel": "telegram"}

_SAID_YES = {
    "source": "telegram.start",
    "wording": "Yes, write to me about new roasts.",
    "wording_version": "2026-10",
    "language": "it",
    "at": _MORNING,
    "payload": "spring",
}
_SAID_NO = {"source": "chat", "at": _EVENING, "rule": "whole:stop", "text": "STOP"}
_KEY = {"brand_id": _BRAND, "account_id": _ACCOUNT, "address": _ADDRESS, "purpose": "marketing"}

EVENTS: dict[str, Any] = {
    "grant": {
        "summary": "A yes through a deep link",
        "value": {"id": _GRANT, **_KEY, "action": "grant", "evidence": _SAID_YES},
    },
    "revoke": {
        "summary": "STOP in the chat",
        "value": {
            "id": _REVOCATION,
            **_KEY,
            "action": "revoke",
            "scope": "channel",
            "evidence": _SAID_NO,
        },
    },
    "pause": {
        "summary": "Not before a day",
        "value": {
            "id": "0192f0d2-1c2d-7e3f-9a4b-5c6d7e8f9a0b",
            **_KEY,
            "action": "pause",
            "scope": "channel",
            "until": "2026-12-22T18:30:00Z",
            "evidence": {"source": "preference_centre", "at": _EVENING},
        },
    },
}
RECORDED = {
    "id": _REVOCATION,
    "seq": 4712,
    "person_id": _PERSON,
    "state": "revoked",
    "reason": None,
    "effective_at": _EVENING,
    "reaches": [
        {
            "account_id": _ACCOUNT,
            "address": _ADDRESS,
            "purposes": ["marketing", "measuring"],
        }
    ],
}

QUESTION = {
    "brand_id": _BRAND,
    "account_id": _ACCOUNT,
    "purpose": "marketing",
    "addresses": [_ADDRESS, "987654321"],
}
PERMISSIONS = {
    "results": [
        {
            "address": _ADDRESS,
            "allowed": True,
            "reason": "granted",
            "consent_event_id": _GRANT,
            "seq": 4711,
        },
        {
            "address": "987654321",
            "allowed": False,
            "reason": "no_consent",
            "consent_event_id": None,
            "seq": 0,
        },
    ]
}

_AUDIENCE = {"brand_id": _BRAND, "account_id": _ACCOUNT, "purpose": "marketing"}
AUDIENCES: dict[str, Any] = {
    "everyone": {
        "summary": "Everybody the account has heard of",
        "value": {**_AUDIENCE, "filter": {"everyone": True}, "limit": 1000},
    },
    "addresses": {
        "summary": "These people, one by one",
        "value": {**_AUDIENCE, "filter": {"addresses": [_ADDRESS, "987654321"]}},
    },
}
AUDIENCE_PAGE = {
    "recipients": [
        {
            "person_id": _PERSON,
            "address": _ADDRESS,
            "language": "it",
            "timezone": "Europe/Rome",
            "consent_event_id": _GRANT,
            "seq": 4711,
        }
    ],
    "excluded": {"no_consent": 3, "revoked": 1},
    "withheld": [],
    "next": _ADDRESS,
}
AUDIENCE_COUNT = {
    "eligible": 18250,
    "excluded": {"no_consent": 410, "revoked": 96},
    "deferred": {"quiet_hours": 12, "capped": 730},
}

PERSON = {
    "id": _PERSON,
    "language": "it",
    "timezone": "Europe/Rome",
    "quiet_hours": {"start": "22:00", "end": "08:00"},
    "tags": ["regular"],
    "attributes": {"favourite": "ristretto"},
    "created_at": _MORNING,
    "merged_into": None,
    "addresses": [
        {
            "account_id": _ACCOUNT,
            "channel": "telegram",
            "address": _ADDRESS,
            "blocked_at": None,
        }
    ],
    "consents": [
        {
            "account_id": _ACCOUNT,
            "address": _ADDRESS,
            "purpose": "marketing",
            "status": "granted",
            "since": _MORNING,
            "expires_at": None,
            "consent_event_id": _GRANT,
            "seq": 4711,
        }
    ],
}
PERSON_CHANGE = {"timezone": "Europe/Rome", "tags": ["regular"]}
HISTORY = {
    "items": [
        {
            "id": _GRANT,
            "seq": 4711,
            "action": "grant",
            "account_id": _ACCOUNT,
            "address": _ADDRESS,
            "purpose": "marketing",
            "scope": "purpose",
            "recorded_at": _MORNING,
            "expires_at": None,
            "evidence": _SAID_YES,
        }
    ],
    "next": None,
}
FEED = {
    "items": [
        {
            "cursor": 88,
            "brand_id": _BRAND,
            "event_id": _REVOCATION,
            "type": "consent.revoked",
            "at": _EVENING,
            "data": {
                "person_id": _PERSON,
                "account_id": _ACCOUNT,
                "channel": "telegram",
                "address": _ADDRESS,
                "purposes": ["marketing", "measuring"],
                "scope": "channel",
                "reason": None,
                "expires_at": None,
                "consent_event_id": _REVOCATION,
            },
        }
    ],
    "cursor": 88,
}

_IMPORT = "0192f0e1-0c2d-7e3f-8a4b-5c6d7e8f9a0b"
IMPORT_IN = {"id": _IMPORT, "brand_id": _BRAND, "account_id": _ACCOUNT, "purpose": "marketing"}
IMPORT_ROWS = {
    "first": 1,
    "rows": [
        {
            "address": _ADDRESS,
            "language": "it",
            "tags": ["regular"],
            "evidence": {
                "source": "shop_till",
                "wording": "Yes, write to me about new roasts.",
                "at": _MORNING,
            },
        },
        {"address": "987654321"},
    ],
}
IMPORT = {
    "id": _IMPORT,
    "account_id": _ACCOUNT,
    "purpose": "marketing",
    "status": "running",
    "rows": 2,
    "granted": 1,
    "known": 0,
    "suppressed": 0,
    "quarantined": 1,
    "reasons": {"no_evidence": 1},
    "created_at": _EVENING,
    "ended_at": None,
}
IMPORT_ASIDE = {"items": [{"row": 2, "reason": "no_evidence"}], "next": None}
_LOG = f"permesso.local/ledger/{_BRAND}"
_ROOT = "Q0uURKK6YcrAEoHIROUyBvwo2q9R5gWzGPEqGvnZ82w="
ENTRY = {
    "number": 0,
    "event_id": _GRANT,
    "leaf": "F2Kox07yp2t+1Uwox85fYosRlKQJlPn9Xo3pu1RhPmA=",
    "entry": {
        "v": 1,
        "seq": 4711,
        "action": "grant",
        "channel": "telegram",
        "purpose": "marketing",
        "scope": "purpose",
        "held_scope": "purpose",
        "purposes": ["marketing"],
        "outcome": "granted",
        "reason": None,
        "brand_id": _BRAND,
        "id": _GRANT,
        "account_id": _ACCOUNT,
        "platform_at": "2026-11-22T09:00:00.000000Z",
        "recorded_at": "2026-11-22T09:00:00.000000Z",
        "expires_at": None,
        "sealed": "c9d0036bed6744bcdf692fc980d8717d7e5f5a4f4e8266b4a84982602fb1cd09",
        "commitment": "0d7668f6d1ddb41ebc4d5aa8ba65f55d611d78b6d28326edd2eb9098bc763601",
    },
}
CHECKPOINT = {
    "size": 2,
    "root": _ROOT,
    "at": _MORNING,
    "note": f"{_LOG}\n2\n{_ROOT}\n\n— {_LOG} "
    "ZUd9BLcdVwNufhE3asFUcp14WWiEb56KNF0MiPL+P6Y3eKA/HHyAYYaEiCLG"
    "ZblmbGrJkActxcaKO7GVCZdwHmhGhAk=\n",
    "key": f"{_LOG}+65477d04+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
}
PROOF = {
    "entry": ENTRY,
    "path": ["uDgCmYw9LwasdV5KeNli+J8OEnPuyl9dfhPg9Gs1/3M="],
    "checkpoint": CHECKPOINT,
}
CONSISTENCY = {
    "from_size": 1,
    "to_size": 2,
    "path": ["uDgCmYw9LwasdV5KeNli+J8OEnPuyl9dfhPg9Gs1/3M="],
}
ENTRIES = {"items": [ENTRY], "next": None}


def answers(example: object, model: type[BaseModel] | None = None) -> dict[int | str, Any]:
    """Return what a route says about its 200, with its contract where the route has none."""
    said: dict[str, Any] = {"content": {"application/json": {"example": example}}}
    if model is not None:
        said["model"] = model
    return {200: said}


def body(model: type[BaseModel], example: object) -> dict[str, Any]:
    """Return what a route that reads its body itself says about it."""
    content = {"schema": model.model_json_schema(), "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def one(value: str) -> dict[str, Any]:
    """Return the example of a parameter."""
    return {"example": {"value": value}}
