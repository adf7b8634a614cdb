"""Worked examples of notices: the question before a yes, in two languages."""

from hashlib import sha256
from typing import Final

from services.gateway.examples import AT

NOTICE_ID: Final = "019ab0c4-7c00-7000-8000-00000000001a"
_WORDINGS: Final = {
    "it": "{brand} vorrebbe scriverti dei nuovi caffè. Per smettere, scrivi STOP.",
    "en": "{brand} would like to write to you about new coffees. To end it, write STOP.",
}
NOTICE_IN: Final = {"purpose": "marketing", "wordings": _WORDINGS}
NOTICE: Final = {
    "id": NOTICE_ID,
    "purpose": "marketing",
    "version": 1,
    "wordings": {
        language: {"text": text, "digest": sha256(text.encode()).hexdigest()}
        for language, text in _WORDINGS.items()
    },
    "created_at": AT,
}
