"""Worked examples for the API's description: one brand, one story, one person, told through.

`worked` makes of two of them what FastAPI's route decorators take.
"""

from typing import Any, Final

from services.gateway.media_examples import MEDIA_ID

Json = Any

BRAND_ID: Final = "019ab0c4-7c00-7000-8000-000000000001"
KEY_ID: Final = "019ab0c4-7c00-7000-8000-000000000002"
ACCOUNT_ID: Final = "019ab0c4-7c00-7000-8000-000000000003"
STORY_ID: Final = "019ab0c4-7c00-7000-8000-000000000005"
CAMPAIGN_ID: Final = "019ab0c4-7c00-7000-8000-000000000006"
MESSAGE_ID: Final = "019ab0c4-7c00-7000-8000-000000000007"
PERSON_ID: Final = "019ab0c4-7c00-7000-8000-000000000008"
CONSENT_ID: Final = "019ab0c4-7c00-7000-8000-000000000009"
ENDPOINT_ID: Final = "019ab0c4-7c00-7000-8000-00000000000a"
EVENT_ID: Final = "019ab0c4-7c00-7000-8000-00000000000b"
ATTEMPT_ID: Final = "019ab0c4-7c00-7000-8000-00000000000c"
REPLAY_ID: Final = "019ab0c4-7c00-7000-8000-00000000000d"
API_KEY: Final = "pmso_live_0000000000000000000000_…_1a2b3c4d"
AT: Final = "2026-11-22T10:00:00Z"
LATER: Final = "2026-11-22T10:00:02Z"

BRAND_IN: Final = {
    "name": "Caffè Aurora",
    "country": "IT",
    "languages": ["it", "en"],
    "timezone": "Europe/Rome",
}
BRAND: Final = {"id": BRAND_ID, **BRAND_IN, "created_at": AT}
BRAND_WITH_KEY: Final = {**BRAND, "api_key": API_KEY}

KEY_IN: Final = {"name": "shop till", "scopes": ["consents:write", "consents:read"]}
KEY: Final = {
    "id": KEY_ID,
    "name": "shop till",
    "scopes": ["consents:read", "consents:write"],
    "created_at": AT,
    "expires_at": None,
    "last_used_at": LATER,
}
KEY_WITH_SECRET: Final = {**KEY, "last_used_at": None, "api_key": API_KEY}

CHANNEL: Final = {
    "name": "telegram",
    "title": "Telegram",
    "capabilities": {
        "text_limit": 4096,
        "caption_limit": 1024,
        "messages_per_second": 28,
        "tells_delivered": False,
        "tells_read": False,
        "receives": True,
        "leaving_erases": False,
    },
    "credentials": {
        "type": "object",
        "required": ["token"],
        "properties": {"token": {"type": "string", "title": "Token", "writeOnly": True}},
    },
    "settings": {
        "type": "object",
        "properties": {"per_second": {"type": "number", "title": "Messages per second"}},
    },
}

ACCOUNT_IN: Final = {
    "channel": "telegram",
    "name": "Aurora bot",
    "credentials": {"token": "1234567890:AbCdEfGhIjKlMnOpQrStUvWxYz012345678"},
}
ACCOUNT: Final[Json] = {
    "id": ACCOUNT_ID,
    "channel": "telegram",
    "name": "Aurora bot",
    "settings": {},
    "status": "new",
    "status_reason": None,
    "platform_id": "1234567890",
    "platform_name": None,
    "webhook_url": f"https://messages.example.com/webhooks/telegram/{ACCOUNT_ID}",
    "created_at": AT,
    "generated": None,
}
CONNECTED: Final = {
    **ACCOUNT,
    "status": "connected",
    "platform_name": "aurora_bot",
}

FRAME: Final = {
    "media_id": MEDIA_ID,
    "text": "Autunno è una tazza calda.",
    "alt": "A steaming cup among autumn leaves",
    "button": {"label": "Prenota", "url": "https://aurora.example/autunno"},
}
STORY_IN: Final = {"title": "Autumn launch", "language": "it", "frames": [FRAME]}
STORY: Final[Json] = {
    **STORY_IN,
    "frames": [{**FRAME, "seconds": None}],
    "variants": {},
    "expires_after": None,
    "id": STORY_ID,
    "version": 1,
    "created_at": AT,
    "updated_at": AT,
    "findings": [],
}
RENDERINGS: Final = {
    "items": [
        {
            "channel": "telegram",
            "language": "it",
            "parts": [
                {
                    "method": "sendPhoto",
                    "params": {
                        "photo": f"media:{MEDIA_ID}",
                        "caption": "Autunno è una tazza calda.",
                    },
                    "media": [MEDIA_ID],
                }
            ],
            "findings": [],
        }
    ],
    "next": None,
}

MESSAGE_IN: Final = {
    "account_id": ACCOUNT_ID,
    "address": "123456789",
    "purpose": "service",
    "content": {"text": "Il tuo ordine 4711 è pronto."},
}
MESSAGE: Final = {
    "id": MESSAGE_ID,
    "campaign_id": None,
    "variant": None,
    "test_of": None,
    "account_id": ACCOUNT_ID,
    "person_id": PERSON_ID,
    "address": "123456789",
    "purpose": "service",
    "status": "sent",
    "reason": None,
    "parts": 1,
    "parts_sent": 1,
    "due_at": AT,
    "created_at": AT,
    "updated_at": LATER,
    "consent_event_id": CONSENT_ID,
    "attempts": [
        {
            "id": ATTEMPT_ID,
            "part": 0,
            "started_at": AT,
            "settled_at": LATER,
            "outcome": "sent",
            "code": None,
            "platform_ids": ["815"],
        }
    ],
    "receipts": [],
}
QUEUED: Final = {
    **MESSAGE,
    "status": "queued",
    "parts_sent": 0,
    "updated_at": AT,
    "consent_event_id": None,
    "attempts": [],
}

CONSENT_IN: Final[Json] = {
    "channel": "telegram",
    "address": "123456789",
    "purpose": "marketing",
    "action": "grant",
    "evidence": {
        "source": "web_form",
        "wording": "Sì, Caffè Aurora può scrivermi su Telegram.",
        "wording_version": "2026-11",
        "language": "it",
        "at": AT,
    },
}
CONSENT: Final = {
    "id": CONSENT_ID,
    "state": "granted",
    "reason": None,
    "effective_at": AT,
    "paused_until": None,
    "receipt": {
        "consent_event_id": CONSENT_ID,
        "seq": 4711,
        "person_id": PERSON_ID,
        "recorded_at": AT,
    },
}
CHECK_IN: Final = {
    "channel": "telegram",
    "purpose": "marketing",
    "addresses": ["123456789", "987654321"],
}
CHECK: Final = {
    "results": [
        {
            "address": "123456789",
            "allowed": True,
            "reason": "granted",
            "consent_event_id": CONSENT_ID,
            "until": None,
        },
        {
            "address": "987654321",
            "allowed": False,
            "reason": "no_consent",
            "consent_event_id": None,
            "until": None,
        },
    ]
}

PERSON: Final = {
    "id": PERSON_ID,
    "language": "it",
    "timezone": "Europe/Rome",
    "quiet_hours": {"start": "22:00", "end": "08:00"},
    "tags": ["espresso"],
    "attributes": {"city": "Torino"},
    "created_at": AT,
    "merged_into": None,
    "addresses": [
        {
            "account_id": ACCOUNT_ID,
            "channel": "telegram",
            "address": "123456789",
            "blocked_at": None,
        }
    ],
    "consents": [
        {
            "account_id": ACCOUNT_ID,
            "address": "123456789",
            "purpose": "marketing",
            "status": "granted",
            "since": AT,
            "expires_at": None,
            "paused": False,
            "paused_until": None,
            "uses_left": None,
            "consent_event_id": CONSENT_ID,
            "seq": 4711,
        }
    ],
}
PERSON_CHANGE: Final = {"tags": ["espresso"], "attributes": {"city": "Torino"}}
HISTORY_ENTRY: Final = {
    "id": CONSENT_ID,
    "seq": 4711,
    "action": "grant",
    "account_id": ACCOUNT_ID,
    "address": "123456789",
    "purpose": "marketing",
    "scope": "purpose",
    "recorded_at": AT,
    "expires_at": None,
    "evidence": {
        **CONSENT_IN["evidence"],
        "url": None,
        "ip": None,
        "user_agent": None,
        "payload": None,
        "platform_id": None,
        "inbox_id": None,
        "rule": None,
        "text": None,
        "note": None,
    },
}

ENDPOINT_IN: Final = {
    "url": "https://crm.aurora.example/permesso",
    "types": ["message.received", "consent.revoked", "consent.expiring"],
}
ENDPOINT: Final = {
    "id": ENDPOINT_ID,
    **ENDPOINT_IN,
    "enabled": True,
    "disabled_reason": None,
    "created_at": AT,
}
ENDPOINT_WITH_SECRET: Final = {**ENDPOINT, "secret": "whsec_…"}
CALLBACK_ATTEMPT: Final = {
    "id": ATTEMPT_ID,
    "event_id": EVENT_ID,
    "type": "message.received",
    "status": "delivered",
    "number": 1,
    "at": LATER,
    "http_status": 200,
    "code": None,
}
EVENT: Final = {
    "id": EVENT_ID,
    "type": "message.received",
    "timestamp": AT,
    "data": {
        "account_id": ACCOUNT_ID,
        "channel": "telegram",
        "person_id": PERSON_ID,
        "address": "123456789",
        "kind": "text",
        "text": "Avete il decaffeinato?",
    },
}


def page(item: Json) -> Json:
    """Return a list of one."""
    return {"items": [item], "next": None}


def worked(
    answer: Json = None, *, given: Json = None, status: int = 200, meaning: str = "Done."
) -> dict[str, Any]:
    """Return the options of a route that put its examples into the API's description."""
    options: dict[str, Any] = {"status_code": status, "response_description": meaning}
    if answer is not None:
        content = {"application/json": {"example": answer}}
        options["responses"] = {status: {"description": meaning, "content": content}}
    if given is not None:
        body = {"content": {"application/json": {"example": given}}}
        options["openapi_extra"] = {"requestBody": body}
    return options
