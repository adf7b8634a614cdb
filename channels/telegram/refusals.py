"""What Telegram's refusals are as aiogram's exceptions, in texts that name no chat and no token."""

from typing import Any

from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    RestartingTelegram,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import TelegramMethod

from shared.http import Response

DEFAULT_WAIT = 5
"""Seconds to wait after a 429 that names none (a proxy's, say)."""

_BY_STATUS: dict[int, type[TelegramAPIError]] = {
    400: TelegramBadRequest,
    401: TelegramUnauthorizedError,
    403: TelegramForbiddenError,
    404: TelegramNotFound,
    409: TelegramConflictError,
    413: TelegramEntityTooLarge,
}


class UnreadableAnswer(ClientDecodeError):
    """An answer that is not the Bot API's; with a `status` of 2xx the call was probably taken."""

    def __init__(self, status: int) -> None:
        """Keep the status, and nothing of the body: it may repeat what was sent."""
        super().__init__("unreadable answer", ValueError(f"HTTP {status}"), "")
        self.status = status


def refusal(
    method: TelegramMethod[Any], response: Response, answer: dict[str, Any] | None
) -> AiogramError:
    """Return the exception for an answer that is not a yes; parameters go before the status."""
    description = answer.get("description") if answer is not None else None
    if answer is None or answer.get("ok") is not False or not isinstance(description, str):
        return _unreadable(method, response)
    parameters = answer.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    new_chat = parameters.get("migrate_to_chat_id")
    if isinstance(new_chat, int):
        moved = TelegramMigrateToChat(method, description, new_chat)
        moved.message = description
        return moved
    status = response.status if response.status >= 400 else answer.get("error_code")
    if status == 429 or parameters.get("retry_after"):
        return _throttled(method, description, parameters.get("retry_after"), response)
    if not isinstance(status, int):
        return UnreadableAnswer(response.status)
    if status >= 500:
        kind = RestartingTelegram if "restart" in description else TelegramServerError
        return kind(method, description)
    return _BY_STATUS.get(status, TelegramAPIError)(method, description)


def _unreadable(method: TelegramMethod[Any], response: Response) -> AiogramError:
    if response.status == 429:
        return _throttled(method, "HTTP 429", None, response)
    if response.status >= 500:
        return TelegramServerError(method, f"HTTP {response.status}")
    return UnreadableAnswer(response.status)


def _throttled(
    method: TelegramMethod[Any], description: str, named: object, response: Response
) -> TelegramRetryAfter:
    header = response.header("retry-after") or ""
    wait = (
        int(header) if header.isascii() and header.isdigit() and len(header) < 8 else DEFAULT_WAIT
    )
    if isinstance(named, int | float) and named > 0:
        wait = int(named) + (named > int(named))
    throttled = TelegramRetryAfter(method, description, wait)
    throttled.message = description  # aiogram's own text names the chat.
    return throttled
