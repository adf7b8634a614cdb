"""Worked examples of the signed log: a log of two events, whose hashes and signature are true."""

from typing import Final

from services.gateway.examples import ACCOUNT_ID, AT, BRAND_ID, CONSENT_ID

_LOG: Final = f"permesso.local/ledger/{BRAND_ID}"
_ROOT: Final = "q4Aio0aqJiUkXIj4SX104MNA9KCY1z0Pata7Y0MmlQI="
LOG_ENTRY: Final = {
    "number": 0,
    "event_id": CONSENT_ID,
    "leaf": "qFT3nXFHuAs/mLPZLc9ABurzVJL0gXG+Hgwkj1Z4zUM=",
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
        "brand_id": BRAND_ID,
        "id": CONSENT_ID,
        "account_id": ACCOUNT_ID,
        "platform_at": "2026-11-22T10:00:00.000000Z",
        "recorded_at": "2026-11-22T10:00:00.000000Z",
        "expires_at": None,
        "sealed": "c9d0036bed6744bcdf692fc980d8717d7e5f5a4f4e8266b4a84982602fb1cd09",
        "commitment": "0d7668f6d1ddb41ebc4d5aa8ba65f55d611d78b6d28326edd2eb9098bc763601",
    },
}
LOG_CHECKPOINT: Final = {
    "size": 2,
    "root": _ROOT,
    "at": AT,
    "note": f"{_LOG}\n2\n{_ROOT}\n\n— {_LOG} "
    "b+QBaSwYsRt/Ex8naDVY2bk8SYsINrfNLGMJecP7SYdeB3oMgvWzNJnRk9p1"
    "jwCKwK8wQYiQVXTDnAP0HjWf7JR77gg=\n",
    "key": f"{_LOG}+6fe40169+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
}
LOG_PROOF: Final = {
    "entry": LOG_ENTRY,
    "path": ["uDgCmYw9LwasdV5KeNli+J8OEnPuyl9dfhPg9Gs1/3M="],
    "checkpoint": LOG_CHECKPOINT,
}
LOG_CONSISTENCY: Final = {
    "from_size": 1,
    "to_size": 2,
    "path": ["uDgCmYw9LwasdV5KeNli+J8OEnPuyl9dfhPg9Gs1/3M="],
}
