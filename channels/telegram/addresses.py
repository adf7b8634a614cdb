"""How a person's address on Telegram is spelled: the id of the chat, in digits."""

import re

_CHAT_ID = re.compile(r"0|-?[1-9][0-9]{0,15}", re.ASCII)


def normalise(address: str) -> str:
    """Return the chat id without space around it; groups and channels have a minus before it."""
    trimmed = address.strip()
    if not _CHAT_ID.fullmatch(trimmed):
        raise ValueError(
            "an address on Telegram is the number of the chat, like 123456789, or like "
            "-1001234567890 for a group; @names are not addresses"
        )
    return trimmed


def is_group(address: str) -> bool:
    """Tell groups and channels, whose ids are negative, from people."""
    return address.startswith("-")
