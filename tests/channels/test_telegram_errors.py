"""Each of Telegram's refusals means one thing, and every row of the table is reached."""

from datetime import timedelta

import pytest

from channels.base.outcomes import (
    AccountBroken,
    BadContent,
    Moved,
    OptedOut,
    OutcomeUnknown,
    Refused,
    SendError,
    Sent,
    Throttled,
    TryAgain,
    Unreachable,
)
from channels.telegram.errors import REFERENCE_UNKNOWN, RULES, Refusal, Rule, meaning

SENTENCES = [
    (403, "Forbidden: bot was blocked by the user", OptedOut, "blocked"),
    (400, "Bad Request: USER_IS_BLOCKED", OptedOut, "blocked"),
    (403, "Forbidden: user is deactivated", Unreachable, "deactivated"),
    (400, "Bad Request: INPUT_USER_DEACTIVATED", Unreachable, "deactivated"),
    (403, "Forbidden: bot can't initiate conversation with a user", Unreachable, "never_started"),
    (403, "Forbidden: bot can't send messages to bots", Unreachable, "is_a_bot"),
    (403, "Forbidden: the bot can't send messages to the bot", Unreachable, "is_a_bot"),
    (403, "Forbidden: bot was kicked from the group chat", Unreachable, "removed_from_group"),
    (403, "Forbidden: bot was kicked from the supergroup chat", Unreachable, "removed_from_group"),
    (403, "Forbidden: bot was kicked from the channel chat", Unreachable, "removed_from_group"),
    (
        403,
        "Forbidden: bot is not a member of the channel chat",
        Unreachable,
        "removed_from_group",
    ),
    (403, "Forbidden: the group chat was deleted", Unreachable, "group_deleted"),
    (400, "Bad Request: chat not found", Unreachable, "not_found"),
    (400, "Bad Request: private chat not found", Unreachable, "not_found"),
    (400, "Bad Request: PEER_ID_INVALID", Unreachable, "not_found"),
    (
        400,
        "Bad Request: need administrator rights in the channel chat",
        Unreachable,
        "no_rights",
    ),
    (400, "Bad Request: have no rights to send a message", Unreachable, "no_rights"),
    (
        400,
        "Bad Request: not enough rights to send text messages to the chat",
        Unreachable,
        "no_rights",
    ),
    (400, "Bad Request: CHAT_WRITE_FORBIDDEN", Unreachable, "no_rights"),
    (400, "Bad Request: message is not modified: specified new …", Sent, ""),
    (400, "Bad Request: message to edit not found", Refused, "message_gone"),
    (400, "Bad Request: message to delete not found", Refused, "message_gone"),
    (400, "Bad Request: message can't be deleted for everyone", Refused, "message_stays"),
    (
        400,
        "Bad Request: query is too old and response timeout expired or query ID is invalid",
        Refused,
        "tap_too_old",
    ),
    (400, "Bad Request: can't parse entities: Unsupported start tag", BadContent, "markup"),
    (400, "Bad Request: message is too long", BadContent, "text_too_long"),
    (400, "Bad Request: message caption is too long", BadContent, "caption_too_long"),
    (400, "Bad Request: reply markup is too long", BadContent, "too_many_buttons"),
    (400, "Bad Request: BUTTON_URL_INVALID", BadContent, "button_url"),
    (
        400,
        "Bad Request: inline keyboard button URL 'http://x' is invalid: Wrong HTTP URL",
        BadContent,
        "button_url",
    ),
    (400, "Bad Request: BUTTON_DATA_INVALID", BadContent, "button"),
    (400, "Bad Request: PHOTO_INVALID_DIMENSIONS", BadContent, "photo_dimensions"),
    (
        400,
        "Bad Request: wrong file identifier/HTTP URL specified",
        BadContent,
        REFERENCE_UNKNOWN,
    ),
    (
        400,
        "Bad Request: wrong remote file id specified: Wrong string length",
        BadContent,
        REFERENCE_UNKNOWN,
    ),
    (400, "Bad Request: FILE_REFERENCE_EXPIRED", BadContent, REFERENCE_UNKNOWN),
    (400, "Bad Request: file is too big", BadContent, "too_large"),
    (
        400,
        "Bad Request: can't use the media of the specified type in the album",
        BadContent,
        "media_type",
    ),
    (400, "Bad Request: wrong type of the web page content", BadContent, "media_type"),
    (400, "Bad Request: Wrong HTTP URL specified", BadContent, "media_url"),
    (400, "Bad Request: Failed to get HTTP URL content", BadContent, "media_url"),
    (400, "Bad Request: can't upload file by URL", BadContent, "media_url"),
    (404, "Not Found: method not found", BadContent, "method_unknown"),
    (413, "Request Entity Too Large", BadContent, "too_large"),
    (401, "Unauthorized", AccountBroken, "token_revoked"),
    (404, "Not Found", AccountBroken, "token_unknown"),
    (421, "Misdirected Request", AccountBroken, "misdirected"),
    (400, "Bad Request: FROZEN_METHOD_INVALID", AccountBroken, "frozen"),
    (409, "Conflict: terminated by other getUpdates request", TryAgain, "conflict"),
    (
        500,
        "Internal Server Error: sent message was immediately deleted and can't be returned",
        Sent,
        "",
    ),
    (500, "Internal Server Error: restart", OutcomeUnknown, "platform_error"),
    (502, "Bad Gateway", OutcomeUnknown, "platform_error"),
    (403, "Forbidden: something new", Unreachable, "forbidden"),
    (400, "Bad Request: SOMETHING_NEW", Refused, "bad_request"),
    (418, "I'm a teapot", Refused, "refused"),
]


@pytest.mark.parametrize(("status", "sentence", "outcome", "code"), SENTENCES)
def test_a_sentence_has_its_meaning(
    status: int, sentence: str, outcome: type[SendError] | type[Sent], code: str
) -> None:
    found = meaning(Refusal(status, sentence), group=False)

    assert type(found) is outcome
    if isinstance(found, SendError):
        assert found.code == code


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.status}-{rule.words or 'any'}")
def test_a_row_is_not_hidden_by_those_above_it(rule: Rule) -> None:
    found = meaning(Refusal(rule.status, f"Error: {rule.words.upper()}"), group=False)

    assert type(found) is rule.outcome
    assert isinstance(found, Sent) or found.code == rule.code


@pytest.mark.parametrize(("group", "scope"), [(False, "account"), (True, "address")])
def test_a_flood_is_waited_out_by_whom_it_is_about(group: bool, scope: str) -> None:
    found = meaning(Refusal(429, "Too Many Requests: retry after 35", retry_after=35), group=group)

    assert isinstance(found, Throttled)
    assert found.after == timedelta(seconds=35)
    assert found.scope == scope


@pytest.mark.parametrize("retry_after", [None, 0, -3])
def test_a_flood_without_a_time_is_waited_out_too(retry_after: float | None) -> None:
    found = meaning(Refusal(429, "Too Many Requests", retry_after=retry_after), group=False)

    assert isinstance(found, Throttled)
    assert found.after >= timedelta(seconds=1)


def test_a_group_that_became_a_supergroup_has_moved() -> None:
    sentence = "Bad Request: group chat was upgraded to a supergroup chat"
    found = meaning(Refusal(400, sentence, new_address="-1001"), group=True)

    assert isinstance(found, Moved)
    assert found.new_address == "-1001"
