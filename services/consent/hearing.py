"""What a person's own words mean for their consent, and what they are answered. Pure.

The words become one of the events that the ledger knows, before anything is written: a STOP is a
revocation of all but service on its channel, a START a grant on its account, and talk is a sight.
A plain yes or no may answer a question of ours; without one it is talk too.
Whoever asks for a pause gets one, on the channel. What is doubtful is a pause too, of which nobody
knows the end before somebody has looked at the words.
"""

from datetime import date

from services.consent.confirmations import WORDING_VERSION, Occasion, before_link, reply
from services.consent.keywords import UNDETERMINED, Keyword, answer, meaning
from shared.contracts.consent import ConsentEventIn, ConsentRecorded, Evidence, Heard, Scope

OWN_WORDS = "chat"
"""The source of words that a person wrote to the brand alone, as text. Any other (forwarded, in a
group, below a picture) may say no, and is no yes."""


def understand(event: ConsentEventIn) -> tuple[ConsentEventIn, Heard | None]:
    """Return the event that `heard` words stand for, and which words they were; others as is."""
    if event.action != "heard":
        return event, None
    text = event.evidence.text
    keyword = meaning(text) if text else None
    if keyword is None and text and event.evidence.source == OWN_WORDS and (said := answer(text)):
        action = "confirm" if said == "yes" else "decline"
        evidence = event.evidence.model_copy(update={"rule": f"answer:{said}", "score": 1.0})
        return event.model_copy(update={"action": action, "evidence": evidence}), None
    match keyword:
        case Keyword(meaning="stop"):
            changes = {"action": "revoke", "scope": Scope.CHANNEL}
        case Keyword(meaning="pause" | "doubtful"):
            changes = {"action": "pause", "scope": Scope.CHANNEL}
        case Keyword(meaning="start") if event.evidence.source == OWN_WORDS:
            changes = {"action": "grant", "scope": Scope.PURPOSE}
        case _:
            changes = {"action": "seen", "scope": Scope.PURPOSE}
    if keyword is None:
        return event.model_copy(update=changes), None
    evidence = _evidence(event.evidence, keyword)
    understood = event.model_copy(update={**changes, "evidence": evidence})
    return understood, _heard(keyword)


def answered(
    recorded: ConsentRecorded,
    event: ConsentEventIn,
    heard: Heard | None,
    *,
    brand: str,
    languages: tuple[str, ...],
    until: date | None = None,
) -> ConsentRecorded:
    """Add what was heard, and the one reply where the caller wants to give one.

    `languages`: the person's own first, then the brand's. `until`: the day on which a pause ends
    where the person is. A notice that is asked is the reply.
    """
    if recorded.question is not None:
        return recorded.model_copy(update={"heard": heard})
    occasion = _occasion(recorded, event, heard) if event.wants_reply else None
    if occasion is None:
        return recorded.model_copy(update={"heard": heard})
    spoken = heard.language if heard and heard.language != UNDETERMINED else None
    said_in = (spoken, event.profile.language, *languages)
    words = reply(occasion, brand=brand, languages=said_in, until=until)
    changes = {
        "heard": heard,
        "reply": words,
        "reply_wording": WORDING_VERSION,
        "reply_link": before_link(said_in),
    }
    return recorded.model_copy(update=changes)


def _occasion(
    recorded: ConsentRecorded, event: ConsentEventIn, heard: Heard | None
) -> Occasion | None:
    """Return what there is to say to the person; None for nothing."""
    if heard is not None and heard.meaning == "help":
        return "help"
    match event.action, recorded.state:
        case "revoke", _:
            return "stopped"
        case "decline", "revoked":
            return "declined"
        case (("grant" | "confirm"), "granted"):
            return "started"
        case "grant", "unchanged" if recorded.reason == "already_granted":
            return "started"
        case _, "paused" if recorded.paused_until is not None:
            return "paused"
        case _, "paused":
            # Nobody is asked again and again: any other reason says that they were, not long ago.
            return "doubt" if recorded.reason == "doubtful" else None
    return None


def _evidence(evidence: Evidence, keyword: Keyword) -> Evidence:
    """Return the evidence with the rule by which it was understood."""
    language = None if keyword.language == UNDETERMINED else keyword.language
    return evidence.model_copy(
        update={"rule": keyword.rule[:200], "score": keyword.score, "language": language}
    )


def _heard(keyword: Keyword) -> Heard:
    return Heard(
        meaning=keyword.meaning,
        language=keyword.language,
        rule=keyword.rule,
        score=keyword.score,
        days=keyword.days,
    )
