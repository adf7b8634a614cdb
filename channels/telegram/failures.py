"""From what aiogram and the sending client raise to what became of the message."""

from aiogram.exceptions import (
    AiogramError,
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

from channels.base.outcomes import (
    AccountBroken,
    OutcomeUnknown,
    SendError,
    Sent,
    TooLate,
    TryAgain,
)
from channels.telegram.errors import Refusal, meaning
from shared.http import NotSent, SendingError, StartedTooLate

Failure = AiogramError | SendingError

_STATUSES: tuple[tuple[type[TelegramAPIError], int], ...] = (
    (TelegramBadRequest, 400),
    (TelegramUnauthorizedError, 401),
    (TelegramForbiddenError, 403),
    (TelegramNotFound, 404),
    (TelegramConflictError, 409),
    (TelegramEntityTooLarge, 413),
    (TelegramServerError, 500),
    # What has no class of its own is a status for the server's owner: 421, 405, 406 …
    (TelegramAPIError, 421),
)


def outcome_of(failure: Failure, *, group: bool) -> Sent | SendError:
    """Return what a failed call means for a message to a person or to a `group`."""
    if isinstance(failure, SendingError):
        return _without_answer(failure)
    if isinstance(failure, TelegramAPIError):
        return meaning(_refusal(failure), group=group)
    return OutcomeUnknown("unreadable_answer")


def _without_answer(failure: SendingError) -> SendError:
    if isinstance(failure, StartedTooLate):
        return TooLate(failure.code)
    if isinstance(failure, NotSent):
        if failure.code == "forbidden_address":
            return AccountBroken(failure.code, "the operator does not allow this server's address")
        return TryAgain(failure.code)
    return OutcomeUnknown(failure.code)


def _refusal(failure: TelegramAPIError) -> Refusal:
    if isinstance(failure, TelegramRetryAfter):
        return Refusal(429, failure.message, retry_after=failure.retry_after)
    if isinstance(failure, TelegramMigrateToChat):
        return Refusal(400, failure.message, new_address=str(failure.migrate_to_chat_id))
    status = next(number for kind, number in _STATUSES if isinstance(failure, kind))
    return Refusal(status, failure.message)
