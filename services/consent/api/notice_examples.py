"""Worked examples of notices: one brand's question in two languages."""

from hashlib import sha256

_ID = "0192f0c5-2b11-7c22-8d33-9e44af55b066"
_IT = "{brand} vorrebbe scriverti dei nuovi caffè. Per smettere, scrivi STOP."
_EN = "{brand} would like to write to you about new coffees. To end it, write STOP."

NOTICE_IN = {"purpose": "marketing", "wordings": {"it": _IT, "en": _EN}}
NOTICE = {
    "id": _ID,
    "purpose": "marketing",
    "version": 1,
    "wordings": {
        language: {"text": text, "digest": sha256(text.encode()).hexdigest()}
        for language, text in (("it", _IT), ("en", _EN))
    },
    "created_at": "2026-11-22T09:00:00Z",
}
NOTICES = {"items": [NOTICE], "next": None}
