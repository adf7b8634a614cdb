"""Worked examples of what a person may ask for: to be forgotten."""

from typing import Final

from services.gateway.examples import CONSENT_ID, LATER, PERSON_ID

ERASURE: Final = {
    "id": CONSENT_ID,
    "person_id": PERSON_ID,
    "state": "erased",
    "seq": 4720,
    "erased_at": LATER,
}
