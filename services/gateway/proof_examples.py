"""The worked example of a message's proof; its consent is that of the ledger's examples."""

from typing import Any, Final

from services.gateway.examples import AT, BRAND_ID, CONSENT_ID, LATER, MESSAGE
from services.gateway.ledger_examples import LOG_PROOF

_LOG: Final = f"permesso.local/ledger/{BRAND_ID}"
_EVIDENCE: Final[dict[str, Any]] = {
    "source": "web_form",
    "wording": "Sì, scrivetemi su Telegram.",
    "wording_version": "2026-10",
    "language": "it",
    "at": AT,
}
SENT_PARTS: Final[list[dict[str, Any]]] = [
    {"method": "sendMessage", "params": {"text": "Nuova miscela d'autunno."}, "media": []}
]
MESSAGE_PROOF: Final = {
    "type": "permesso.message-proof",
    "version": 1,
    "brand_id": BRAND_ID,
    "issued_at": LATER,
    "message": {**MESSAGE, "purpose": "marketing"},
    "content": {
        "language": "it",
        "story_id": None,
        "parts": SENT_PARTS,
        "sha256": "8f41b34a2ee16b4b8a3d2af8a14c1a4d7a5ba0ed1f9a1e2e3cfd3c5b7c0f7f19",
    },
    "permission": {
        "allowed": True,
        "reason": "granted",
        "consent_event_id": CONSENT_ID,
        "asked_within_seconds": 5,
    },
    "consents": [
        {
            "proof": LOG_PROOF,
            "content": '{"salt":"…","subject":{"person_id":"…","channel":"telegram",'
            '"address":"123456789"},"evidence":{"source":"web_form","wording":"…"},"reaches":[]}',
            "evidence": _EVIDENCE,
            "webhook": None,
        }
    ],
    "statement": f"{_LOG} statement\n"
    "b1d1f9c1d5a2f1ac0ec5e9dd3ca2d79d25b4f1a6d3c68d9e8d8b7d9a51c7e1f0\n"
    "2026-11-22T10:00:02.000000Z\n\n"
    f"— {_LOG} b+QBaSwYsRt/Ex8naDVY2bk8SYsINrfNLGMJecP7SYdeB3oMgvWzNJnRk9p1"
    "jwCKwK8wQYiQVXTDnAP0HjWf7JR77gg=\n",
}
