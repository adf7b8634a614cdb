"""What the control side can be asked: the bodies of its calls."""

from typing import Annotated, Any

from pydantic import Base64Bytes, ConfigDict, Field

from shared.contracts.base import Contract

Account = Annotated[str, Field(min_length=1, max_length=64)]
Address = Annotated[str, Field(min_length=1, max_length=256)]


class _Question(Contract):
    """A number is as good as its digits: platforms' ids are numbers to some, strings to us."""

    model_config = ConfigDict(coerce_numbers_to_str=True)


class _About(_Question):
    channel: str
    account: Account


class _AboutPerson(_About):
    address: Address


class MakePeople(_About):
    """Make people whom the account may write to."""

    count: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    address: Address | None = None
    language: Annotated[str, Field(max_length=35)] | None = None
    name: Annotated[str, Field(max_length=64)] | None = None
    opened: bool = True
    """Whether they opened the chat; before that nobody can write to them."""
    start: Annotated[str, Field(max_length=64)] | None = None
    """Let them press START, with this payload; empty: without one."""


class Say(_AboutPerson):
    """Let a person write, or send a picture."""

    text: Annotated[str, Field(max_length=4096)] = ""
    photo: Base64Bytes | None = None


class TapButton(_AboutPerson):
    """Let a person tap a button."""

    button: Annotated[str, Field(min_length=1, max_length=2048)]
    """Its words, its data or its link."""
    message_id: str | None = None


class Block(_AboutPerson):
    """Let a person block the account, unblock it, or leave the platform."""

    unblock: bool = False
    deactivate: bool = False


class AddFault(_Question):
    """Let something go wrong."""

    channel: str
    fault: str
    account: Account | None = None
    address: Address | None = None
    methods: tuple[str, ...] | None = None
    """Of which methods; none: those that put something on a phone; `*`: all."""
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    count: Annotated[int, Field(ge=1)] | None = None
    retry_after: Annotated[int, Field(ge=0, le=86_400)] = 7
    seconds: Annotated[float, Field(ge=0, le=600)] = 2.0


class SetLimits(_Question):
    """Change limits; the rest of the fields are the limits themselves."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)

    channel: str
    account: Account | None = None

    @property
    def limits(self) -> dict[str, Any]:
        """The limits to change."""
        return dict(self.model_extra or {})


class TurnClock(_Question):
    """Turn the platforms' clock forward."""

    advance_seconds: Annotated[float, Field(ge=0, le=366 * 86_400)]


class HoldGate(_Question):
    """Hold messages in flight, or let them go."""

    channel: str
    hold: bool


class ConfigureHook(_Question):
    """Tell a receiver its secret and what to answer."""

    secret: str | None = None
    answer: Annotated[int, Field(ge=200, le=599)] | None = None
    retry_after: Annotated[int, Field(ge=0, le=86_400)] | None = None
