"""What countries ask for, as `countries.toml` lists it with its sources. Read once, then pure."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.clock import QuietHours


class Country(Contract):
    """The rules of one country."""

    double_opt_in: bool = False
    """A yes in a chat counts once the notice was answered."""
    stop_ends: Literal["channel", "brand"] = "channel"
    """How far a STOP in a chat reaches."""
    quiet_hours: QuietHours | None = None
    """When nobody who lives there is written to for marketing."""
    expires_after_days: Mapping[str, int] = Field(default_factory=dict)
    """For how long a yes to a purpose is good; for a topic as for all of marketing."""


_UNLISTED = Country()


def _read() -> Mapping[str, Country]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return MappingProxyType({code: Country(**table) for code, table in tables.items()})


def _read_zones() -> Mapping[str, str]:
    """Return the country of each time zone, as the time zone database has it (`zone.tab`)."""
    lines = (resources.files("tzdata.zoneinfo") / "zone.tab").read_text("utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return MappingProxyType({row[2]: row[0] for row in rows})


COUNTRIES = _read()
_ZONES = _read_zones()
ZONES_WITH_HOURS = tuple(
    zone for zone, code in _ZONES.items() if code in COUNTRIES and COUNTRIES[code].quiet_hours
)
"""The time zones of countries that have quiet hours by law."""


def rules_of(country: str) -> Country:
    """Return the rules of a country, by its ISO 3166 code."""
    return COUNTRIES.get(country, _UNLISTED)


def country_of(zone: str | None) -> str | None:
    """Return the country in which a time zone lies; None where its name does not tell."""
    return _ZONES.get(zone) if zone else None
