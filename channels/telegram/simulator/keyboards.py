"""Keyboards below messages: what Telegram takes, and what it says otherwise."""

from typing import Any
from urllib.parse import urlsplit

from channels.telegram.simulator.errors import bad_request

MOST_BUTTONS = 100
MOST_IN_A_ROW = 8
CALLBACK_BYTES = 64
_OTHER_MARKUPS = ("keyboard", "remove_keyboard", "force_reply")
_ACTIONS = (
    "callback_game",
    "pay",
    "switch_inline_query",
    "switch_inline_query_chosen_chat",
    "switch_inline_query_current_chat",
    "login_url",
    "web_app",
    "copy_text",
    "disabled",
)
_SCHEMES = {"http", "https", "tg", "ton"}


def inline_keyboard(markup: object) -> list[list[dict[str, Any]]] | None:
    """Return the rows of an inline keyboard, checked; none for the other kinds of markup."""
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" not in markup:
        if not any(kind in markup for kind in _OTHER_MARKUPS) and markup:
            raise bad_request("can't parse reply keyboard markup JSON object")
        return None
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list):
        raise bad_request('field "inline_keyboard" must be of type Array')
    checked = [_row(row) for row in rows]
    checked = [row for row in checked if row]
    if sum(map(len, checked)) > MOST_BUTTONS or any(len(row) > MOST_IN_A_ROW for row in checked):
        raise bad_request("reply markup is too long")
    return checked or None


def _row(row: object) -> list[dict[str, Any]]:
    if not isinstance(row, list):
        raise bad_request("inline keyboard row must be an Array")
    return [_button(button) for button in row]


def _button(button: object) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise bad_request(
            "can't parse inline keyboard button: InlineKeyboardButton must be an Object"
        )
    text = button.get("text")
    if not isinstance(text, str):
        raise bad_request("can't parse inline keyboard button: Can't find field \"text\"")
    if not text.strip():
        raise bad_request("BUTTON_TEXT_INVALID")
    kept = {key: value for key, value in button.items() if value is not None}
    if kept.get("url"):
        _check_url(kept["url"])
    elif kept.get("callback_data"):
        if len(str(kept["callback_data"]).encode()) > CALLBACK_BYTES:
            raise bad_request("BUTTON_DATA_INVALID")
    elif not any(action in kept for action in _ACTIONS):
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )
    return kept


def _check_url(url: object) -> None:
    # The hosted service also refuses `localhost`. A sandbox lives on machines without public
    # names, where a tracked link can only point there, so this one rule is not kept.
    if not isinstance(url, str) or len(url) > 2048 or any(c.isspace() for c in url):
        raise bad_request("BUTTON_URL_INVALID")
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError as error:
        raise bad_request("BUTTON_URL_INVALID") from error
    if parts.scheme not in _SCHEMES or not parts.netloc or not port_is_valid:
        raise bad_request("BUTTON_URL_INVALID")
    host = parts.hostname or ""
    if (
        parts.scheme in ("http", "https")
        and "." not in host
        and ":" not in host
        and host != "localhost"
    ):
        raise bad_request("BUTTON_URL_INVALID")
