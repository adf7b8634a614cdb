"""The worked example of a person's export."""

from typing import Final

from services.gateway.examples import HISTORY_ENTRY, LATER, MESSAGE, PERSON
from services.gateway.proof_examples import SENT_PARTS

PERSON_EXPORT: Final = {
    "type": "permesso.person-export",
    "version": 1,
    "exported_at": LATER,
    "person": PERSON,
    "merges": [],
    "history": [HISTORY_ENTRY],
    "messages": [{**MESSAGE, "content": {"language": "it", "story_id": None, "parts": SENT_PARTS}}],
}
PAGE: Final = '<!doctype html>\n<html lang="en">…</html>\n'
