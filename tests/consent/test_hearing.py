"""Words become the one event that they mean; only plain words to the brand can be a yes."""

from datetime import UTC, datetime

import pytest

from services.consent.hearing import answered, understand
from shared.contracts.consent import ConsentEventIn, ConsentRecorded, Evidence, Profile, Scope
from shared.ids import new_id


def said(text, *, source="chat", action="heard", purpose="marketing", language=None):
    return ConsentEventIn(
        id=new_id(),
        brand_id=new_id(),
        action=action,
        account_id=new_id(),
        address="42",
        purpose=purpose,
        evidence=Evidence(source=source, text=text),
        profile=Profile(language=language),
        wants_reply=True,
    )


def recorded(state, *, until=None, reason=None):
    return ConsentRecorded(
        id=new_id(),
        seq=1,
        person_id=new_id(),
        state=state,
        effective_at=datetime.now(UTC),
        paused_until=until,
        reason=reason,
        reaches=(),
    )


@pytest.mark.parametrize(
    ("text", "source", "action", "scope"),
    [
        ("STOP", "chat", "revoke", Scope.CHANNEL),
        ("basta, grazie", "chat", "revoke", Scope.CHANNEL),
        ("START", "chat", "grant", Scope.PURPOSE),
        ("HELP", "chat", "seen", Scope.PURPOSE),
        ("Avete la miscela?", "chat", "seen", Scope.PURPOSE),
        (None, "chat", "seen", Scope.PURPOSE),
        ("sì", "chat", "confirm", Scope.PURPOSE),
        ("no grazie", "chat", "decline", Scope.PURPOSE),
        ("sì", "chat.forwarded", "seen", Scope.PURPOSE),
        ("STOP", "chat.photo", "revoke", Scope.CHANNEL),
        ("START", "chat.forwarded", "seen", Scope.PURPOSE),
        ("potete smettere di mandarmi pubblicità?", "chat", "revoke", Scope.CHANNEL),
        ("forse è meglio se mi cancello", "chat", "pause", Scope.CHANNEL),
        ("maybe I should unsubscribe", "chat", "pause", Scope.CHANNEL),
        ("pausa 2 settimane", "chat", "pause", Scope.CHANNEL),
    ],
)
def test_words_become_what_they_mean(text, source, action, scope):
    understood, _ = understand(said(text, source=source))

    assert (understood.action, understood.scope) == (action, scope)


def test_the_rule_by_which_words_were_understood_is_evidence():
    understood, heard = understand(said("basta, grazie"))

    assert heard is not None
    assert understood.evidence.rule == heard.rule
    assert understood.evidence.language == "it"
    assert understood.evidence.score == 1


def test_free_text_leaves_its_score_and_its_words_as_evidence():
    understood, heard = understand(said("basta con questi messaggi, dico davvero"))

    assert (heard.meaning, heard.language) == ("stop", "it")
    assert heard.rule == understood.evidence.rule
    assert heard.rule.startswith("free:")
    assert "messaggi" in heard.rule
    assert understood.evidence.score == heard.score


def test_what_is_doubtful_is_told_and_pauses():
    understood, doubtful = understand(said("maybe I should unsubscribe"))

    assert (understood.action, doubtful.meaning) == ("pause", "doubtful")


def test_who_asks_for_a_pause_gets_one():
    understood, pause = understand(said("don't write to me for 2 weeks"))

    assert (understood.action, understood.scope) == ("pause", "channel")
    assert (pause.meaning, pause.days) == ("pause", 14)


def test_what_was_not_heard_is_left_as_it_is():
    event = said("STOP", action="grant")

    assert understand(event) == (event, None)


@pytest.mark.parametrize(
    ("event", "state", "part_of_reply"),
    [
        (said("basta, grazie"), "revoked", "non ti"),
        (said("unsubscribe"), "revoked", "Aurora"),
        (said("START"), "unchanged", None),
        (said("ciao"), "unchanged", None),
        (said("maybe I should unsubscribe"), "unchanged", None),
        (said("pause 10 days"), "paused", "3 January 2027"),
        (said("sì"), "granted", "STOP"),
        (said("sì"), "unchanged", None),
        (said("no grazie"), "revoked", "START"),
        (said("no grazie"), "unchanged", None),
        (said("aiuto"), "unchanged", "STOP"),
    ],
)
def test_one_answer_is_owed_where_something_follows(event, state, part_of_reply):
    understood, heard = understand(event)
    until = datetime(2027, 1, 3, tzinfo=UTC) if state == "paused" else None
    answer = answered(
        recorded(state, until=until),
        understood,
        heard,
        brand="Aurora",
        languages=("it",),
        until=until and until.date(),
    )

    assert (answer.reply is None) == (part_of_reply is None)
    assert part_of_reply is None or part_of_reply in answer.reply


def test_nobody_is_answered_who_did_not_speak_in_a_chat():
    event = said("STOP").model_copy(update={"wants_reply": False})
    understood, heard = understand(event)

    assert answered(recorded("revoked"), understood, heard, brand="A", languages=()).reply is None


@pytest.mark.parametrize(("reason", "asked"), [("doubtful", True), ("doubtful_again", False)])
def test_who_was_asked_not_long_ago_is_not_asked_again(reason, asked):
    understood, heard = understand(said("maybe I should unsubscribe"))
    answer = answered(
        recorded("paused", reason=reason), understood, heard, brand="Aurora", languages=("it",)
    )

    assert (answer.reply is not None) == asked
    assert not asked or "STOP" in answer.reply
