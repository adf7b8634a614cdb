"""Who is meant by what a brand knows of people: tests of their attributes, and how they combine."""

import re
from datetime import date
from typing import Annotated

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    model_validator,
)

from shared.contracts.base import Contract

DEEPEST = 4
"""Groups within groups."""
MOST = 50
"""Tests in one filter."""

_LARGEST = 2**53
"""Beyond it a number is no longer the one that was written."""


def _is_number(given: object) -> bool:
    """Say whether it is a number that can be compared; true and false are none."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return False
    return -_LARGEST <= given <= _LARGEST


def _value(given: object) -> object:
    if isinstance(given, bool) or _is_number(given):
        return given
    if isinstance(given, str) and len(given) <= 1_000:
        return given
    raise ValueError("this has to be a number, true, false, or a text of at most 1,000 characters")


def _bound(given: object) -> object:
    if isinstance(given, date) or _is_number(given):
        return given
    if isinstance(given, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", given):
        try:
            return date.fromisoformat(given)
        except ValueError:
            raise ValueError("there is no such day") from None
    raise ValueError("this has to be a number, or a day such as 2026-11-22")


# What is wrong is said once, and not by every type that it is none of.
Value = Annotated[StrictStr | StrictBool | StrictInt | StrictFloat, BeforeValidator(_value)]
Bound = Annotated[StrictInt | StrictFloat | date, BeforeValidator(_bound)]
_Groups = Annotated[tuple["Fits", ...], Field(min_length=1, max_length=MOST)]

_TESTS = ("is_", "one_of", "present", "at_least", "at_most", "above", "below")
_GROUPS = ("all", "any", "none")


class Fits(Contract):
    """A test of one attribute (`name`), or a group of tests; all that is given has to hold.

    An attribute that a person has not, or that is no number where one is compared with, fits no
    test but `"present": false`. `none` turns that round: who has no city is in none of the cities.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    all: _Groups | None = None
    any: _Groups | None = None
    none: _Groups | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    """The attribute that is looked at."""
    is_: Annotated[Value | None, Field(alias="is")] = None
    one_of: Annotated[tuple[Value, ...], Field(min_length=1, max_length=100)] | None = None
    present: bool | None = None
    """Whether there is a value at all; null is none."""
    at_least: Bound | None = None
    """Numbers are compared with numbers, days (`2026-11-22`) with texts that begin with a day."""
    at_most: Bound | None = None
    above: Bound | None = None
    below: Bound | None = None

    @model_validator(mode="after")
    def _either(self) -> "Fits":
        groups = [name for name in _GROUPS if getattr(self, name) is not None]
        tests = [name for name in _TESTS if getattr(self, name) is not None]
        if groups and (tests or self.name is not None):
            raise ValueError("give either a name with its tests, or all, any, none")
        if not groups and (self.name is None or not tests):
            raise ValueError(
                "give a name with is, one_of, present, at_least, at_most, above or below;"
                " or a group: all, any, none"
            )
        return self

    def below_it(self) -> tuple["Fits", ...]:
        """Return the members of this group, of whatever kind."""
        return tuple(each for name in _GROUPS for each in getattr(self, name) or ())


class AttributeFilter(Fits):
    """The whole of a filter: at most 50 tests, at most 4 groups deep."""

    @model_validator(mode="after")
    def _bounded(self) -> "AttributeFilter":
        level: tuple[Fits, ...] = (self,)
        tests, depth = 0, 0
        while level:
            tests += sum(each.name is not None for each in level)
            level = tuple(inner for each in level for inner in each.below_it())
            depth += bool(level)
        if depth > DEEPEST:
            raise ValueError(f"groups may be {DEEPEST} deep at most")
        if tests > MOST:
            raise ValueError(f"this may have at most {MOST} tests")
        return self
