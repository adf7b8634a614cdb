"""What became of a message that we handed to a platform.

* Sent                taken; the platform gave it ids
* SendError
  + TryAgain          nothing was taken; a later try is safe
    - Throttled       too fast; costs no attempt; says how long and for whom to wait
    - TooLate         the start deadline passed before the first byte left
  + OutcomeUnknown    it may have been taken; a second try might write twice
  + Refused           it will never be taken
    - Unreachable     this person cannot be reached on this channel
    - OptedOut        this person said no to the brand, and told the platform so
    - Moved           the person is at another address now
    - BadContent      the platform will take this story from nobody
  + AccountBroken     our credentials or settings; every message would fail
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform took the call and gave what it made these ids (an album has several)."""

    platform_ids: tuple[str, ...]


class SendError(Exception):
    """The platform did not confirm a message."""

    def __init__(self, code: str, detail: str = "") -> None:
        """Name the failure by a stable `code`; `detail` is for people and holds no secret."""
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class TryAgain(SendError):
    """Nothing was taken; a later try is safe."""


class Throttled(TryAgain):
    """Too fast for the platform: wait, for this person or for the whole account."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        after: timedelta,
        scope: Literal["account", "address"] = "account",
    ) -> None:
        """Wait `after` before the next call in `scope`."""
        super().__init__(code, detail)
        self.after = after
        self.scope = scope


class TooLate(TryAgain):
    """The start deadline passed before the first byte left."""


class OutcomeUnknown(SendError):
    """It may have been taken; a second try might write to the person twice."""


class Refused(SendError):
    """It will never be taken."""


class Unreachable(Refused):
    """This person cannot be reached on this channel."""


class OptedOut(Refused):
    """This person said no to the brand, and told the platform so.

    The code `blocked` says that they blocked the account altogether; any other one, such as 131050
    on WhatsApp, is a no to marketing. A limit of the platform's own, such as 131049, is no
    `OptedOut` but a plain `Refused`.
    """


class Moved(Refused):
    """The person is at another address now; consent does not move by itself."""

    def __init__(self, code: str, detail: str = "", *, new_address: str) -> None:
        """Say where the conversation went."""
        super().__init__(code, detail)
        self.new_address = new_address


class BadContent(Refused):
    """The platform will take this story from nobody: the campaign is wrong, not the person."""


class AccountBroken(SendError):
    """Our credentials or settings; every message would fail."""
