"""The Bot API's errors, in its own words.

Prefixes and the small first letter are those of `Client::fail_query_with_error` in
tdlib/telegram-bot-api.
"""

from functools import partial


class BotApiError(Exception):
    """An answer with `ok: false`."""

    def __init__(self, code: int, description: str, *, retry_after: int | None = None) -> None:
        """Carry the status, the text, and for 429 the seconds to wait."""
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after


def bad_request(message: str) -> BotApiError:
    """400: the call itself is wrong, or this chat cannot take it."""
    return BotApiError(400, f"Bad Request: {_lowered(message)}")


def forbidden(message: str) -> BotApiError:
    """403: this person or chat cannot be written to."""
    return BotApiError(403, f"Forbidden: {_lowered(message)}")


def throttled(seconds: int) -> BotApiError:
    """429: too fast."""
    return BotApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def conflict(message: str) -> BotApiError:
    """409: somebody else receives the updates."""
    return BotApiError(409, f"Conflict: {message}")


def _lowered(message: str) -> str:
    # Raw codes (BUTTON_URL_INVALID) keep their letters.
    second = message[1:2]
    if second == "_" or "A" <= second <= "Z":
        return message
    return message[:1].lower() + message[1:]


# Made anew each time: an exception that is raised again and again keeps every traceback.
chat_not_found = partial(bad_request, "chat not found")
never_started = partial(forbidden, "bot can't initiate conversation with a user")
blocked_by_person = partial(forbidden, "bot was blocked by the user")
deactivated = partial(forbidden, "user is deactivated")
unauthorized = partial(BotApiError, 401, "Unauthorized")
invalid_token = partial(BotApiError, 401, "Unauthorized: invalid token specified")
not_found = partial(BotApiError, 404, "Not Found")
too_large = partial(BotApiError, 413, "Request Entity Too Large")
wrong_file = partial(bad_request, "wrong file identifier/HTTP URL specified")
