"""What other services refused, told on to the one who asked; and texts that nobody could store."""

import re
from typing import Final

import orjson

from shared.clients.base import ServiceRefused, ServiceUnavailable
from shared.problems import Problem

RETRY_AFTER: Final = "2"
_TOLD_ON: Final = frozenset({400, 404, 409, 410, 413, 415, 422})
_PASSES: Final = frozenset({"platform_unavailable", "ledger_damaged"})
"""What one service tells another as final, so that it is not asked again and again, and is not."""
# JSON may hold what PostgreSQL's text and UTF-8 cannot: U+0000, and halves of surrogate pairs.
_SUSPECT: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|\xed[\xa0-\xbf]|\0")


def refused(error: ServiceRefused) -> Problem:
    """Return a service's refusal as our own answer; what was our fault is not the caller's."""
    if error.status not in _TOLD_ON:
        raise error
    if error.code in _PASSES:
        headers = {"Retry-After": RETRY_AFTER}
        return Problem(503, error.code, error.detail, headers=headers)
    return Problem(error.status, error.code, error.detail, errors=error.errors)


def unavailable(error: ServiceUnavailable) -> Problem:
    """Return the answer for a service that is away."""
    return Problem(
        503,
        "unavailable",
        "A part of the house is away at the moment; the same call may be made again.",
        headers={"Retry-After": RETRY_AFTER},
    )


def not_found(what: str) -> Problem:
    """Return the answer for what is not there, or is another brand's: nobody can tell which."""
    return Problem(404, "not_found", f"There is no {what} of this id.")


def wrong_field(pointer: str, message: str) -> Problem:
    """Return the answer for one field that is wrong."""
    return Problem(
        422, "invalid", "Some fields are wrong.", errors=[{"pointer": pointer, "message": message}]
    )


def check_text(body: bytes, query: bytes) -> None:
    """Refuse characters that nobody could store, wherever they are in the request."""
    if b"%00" in query:
        raise wrong_field("/query", "U+0000 is not text")
    if _SUSPECT.search(body):
        try:
            # orjson refuses halves of surrogate pairs by itself.
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Problem(400, "malformed_json", "The body is not valid JSON in UTF-8.") from error
        _check_value(value, "")


def _check_value(value: object, pointer: str) -> None:
    match value:
        case str() if "\0" in value:
            raise wrong_field(pointer, "U+0000 is not text")
        case list():
            for number, each in enumerate(value):
                _check_value(each, f"{pointer}/{number}")
        case dict():
            for name, each in value.items():
                _check_value(name, pointer)
                _check_value(each, f"{pointer}/{name}")
        case _:
            pass
