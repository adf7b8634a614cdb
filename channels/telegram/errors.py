"""What Telegram's refusals mean: one table, first match counts.

The Bot API has no error codes of its own, only an HTTP status and a sentence; we match a part of
the sentence, in lower case. An error of Telegram's inner protocol comes through in capitals. The
sentences are those of the open server's sources, https://github.com/tdlib/telegram-bot-api, and
https://github.com/tdlib/td.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

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

REFERENCE_UNKNOWN = "reference_unknown"
"""Telegram does not know the file id that we sent; the bytes would help."""
MESSAGE_GONE = "message_gone"
MESSAGE_STAYS = "message_stays"
"""It can be neither deleted nor edited any more, or not the one of the two that was asked for."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of the Bot API that is not a yes."""

    status: int
    description: str
    retry_after: float | None = None
    """Seconds, where Telegram asks us to wait."""
    new_address: str | None = None


class Rule(NamedTuple):
    """A sentence of Telegram's and what it means."""

    status: int
    words: str
    """A part of the sentence in lower case; "" is any sentence."""
    outcome: type[SendError] | type[Sent]
    code: str


RULES: tuple[Rule, ...] = (
    # The person.
    Rule(403, "bot was blocked by the user", OptedOut, "blocked"),
    Rule(400, "user_is_blocked", OptedOut, "blocked"),
    Rule(403, "user is deactivated", Unreachable, "deactivated"),
    Rule(400, "input_user_deactivated", Unreachable, "deactivated"),
    Rule(403, "bot can't initiate conversation with a user", Unreachable, "never_started"),
    Rule(403, "bot can't send messages to bots", Unreachable, "is_a_bot"),
    Rule(403, "the bot can't send messages to the bot", Unreachable, "is_a_bot"),
    Rule(400, "user_is_bot", Unreachable, "is_a_bot"),
    Rule(400, "chat not found", Unreachable, "not_found"),
    Rule(400, "chat_id is empty", Unreachable, "not_found"),
    Rule(400, "peer_id_invalid", Unreachable, "not_found"),
    Rule(400, "user not found", Unreachable, "not_found"),
    # The group or channel.
    Rule(403, "bot was kicked from the", Unreachable, "removed_from_group"),
    Rule(403, "bot is not a member of the", Unreachable, "removed_from_group"),
    Rule(403, "the group chat was deleted", Unreachable, "group_deleted"),
    Rule(400, "group chat was deactivated", Unreachable, "group_deleted"),
    Rule(400, "need administrator rights in the channel chat", Unreachable, "no_rights"),
    Rule(403, "need administrator rights in the channel chat", Unreachable, "no_rights"),
    Rule(400, "have no rights to send a message", Unreachable, "no_rights"),
    Rule(400, "not enough rights to send", Unreachable, "no_rights"),
    Rule(400, "chat_write_forbidden", Unreachable, "no_rights"),
    Rule(400, "chat_admin_required", Unreachable, "no_rights"),
    Rule(400, "chat_restricted", Unreachable, "no_rights"),
    Rule(400, "topic_closed", Unreachable, "topic_closed"),
    # A file id that Telegram no longer knows, or that belongs to another bot.
    Rule(400, "wrong file identifier", BadContent, REFERENCE_UNKNOWN),
    Rule(400, "wrong remote file id", BadContent, REFERENCE_UNKNOWN),
    Rule(400, "wrong file_id", BadContent, REFERENCE_UNKNOWN),
    Rule(400, "file reference", BadContent, REFERENCE_UNKNOWN),
    Rule(400, "file_reference_", BadContent, REFERENCE_UNKNOWN),
    Rule(400, "file is temporarily unavailable", TryAgain, "file_unavailable"),
    # The story.
    Rule(400, "can't parse entities", BadContent, "markup"),
    Rule(400, "message text is empty", BadContent, "empty"),
    Rule(400, "text must be non-empty", BadContent, "empty"),
    Rule(400, "there is no text in the message to", BadContent, "empty"),
    Rule(400, "message is too long", BadContent, "text_too_long"),
    Rule(400, "message_too_long", BadContent, "text_too_long"),
    Rule(400, "message caption is too long", BadContent, "caption_too_long"),
    Rule(400, "media_caption_too_long", BadContent, "caption_too_long"),
    Rule(400, "reply markup is too long", BadContent, "too_many_buttons"),
    Rule(400, "button_url_invalid", BadContent, "button_url"),
    Rule(400, "inline keyboard button url", BadContent, "button_url"),
    Rule(400, "button_data_invalid", BadContent, "button"),
    Rule(400, "button_type_invalid", BadContent, "button"),
    Rule(400, "photo_invalid_dimensions", BadContent, "photo_dimensions"),
    Rule(400, "image_process_failed", BadContent, "media_unreadable"),
    Rule(400, "photo_ext_invalid", BadContent, "media_type"),
    Rule(400, "wrong type of the web page content", BadContent, "media_type"),
    Rule(400, "can't use the media of the specified type", BadContent, "media_type"),
    Rule(400, "file is too big", BadContent, "too_large"),
    Rule(400, "file must be non-empty", BadContent, "media_unreadable"),
    Rule(400, "wrong http url", BadContent, "media_url"),
    Rule(400, "failed to get http url content", BadContent, "media_url"),
    Rule(400, "can't upload file by url", BadContent, "media_url"),
    Rule(400, "webpage_", BadContent, "media_url"),
    Rule(400, "rich message", BadContent, "rich_message"),
    Rule(404, "method not found", BadContent, "method_unknown"),
    Rule(413, "", BadContent, "too_large"),
    # What was asked for is done already, or came too late.
    Rule(400, "message is not modified", Sent, "not_modified"),
    Rule(400, "message to edit not found", Refused, MESSAGE_GONE),
    Rule(400, "message to delete not found", Refused, MESSAGE_GONE),
    Rule(400, "message can't be deleted", Refused, MESSAGE_STAYS),
    Rule(400, "message can't be edited", Refused, MESSAGE_STAYS),
    Rule(400, "there is no caption in the message to edit", Refused, MESSAGE_STAYS),
    Rule(400, "query is too old", Refused, "tap_too_old"),
    # The bot.
    Rule(401, "", AccountBroken, "token_revoked"),
    Rule(404, "", AccountBroken, "token_unknown"),
    Rule(400, "frozen_method_invalid", AccountBroken, "frozen"),
    Rule(400, "bot_method_invalid", AccountBroken, "not_a_bot"),
    Rule(400, "logged out", AccountBroken, "moved_to_another_server"),
    Rule(421, "", AccountBroken, "misdirected"),
    # Telegram.
    Rule(500, "sent message was immediately deleted", Sent, "deleted_at_once"),
    Rule(409, "", TryAgain, "conflict"),
    # Whatever else: a 4xx in Telegram's own words took nothing.
    Rule(403, "", Unreachable, "forbidden"),
    Rule(400, "", Refused, "bad_request"),
)


def meaning(refusal: Refusal, *, group: bool) -> Sent | SendError:
    """Return what a refusal means for a message to a person or to a `group`.

    Telegram does not say whose limit a 429 is about. Our pace keeps each person's own limit, so a
    429 about a person is the bot's; a group's 20 a minute are easily met, so it is the group's.
    """
    detail = refusal.description[:200]
    if refusal.new_address is not None:
        return Moved("migrated", new_address=refusal.new_address)
    if refusal.retry_after is not None or refusal.status == 429:
        after = timedelta(seconds=max(refusal.retry_after or 0, 1))
        return Throttled("rate_limited", after=after, scope="address" if group else "account")
    words = refusal.description.lower()
    for rule in RULES:
        if rule.status != refusal.status or rule.words not in words:
            continue
        if issubclass(rule.outcome, Sent):
            return Sent(())
        return rule.outcome(rule.code, detail)
    if refusal.status >= 500:
        return OutcomeUnknown("platform_error", f"status {refusal.status}")
    return Refused("refused", detail)
