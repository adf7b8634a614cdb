"""The time zones that a person may choose on their page."""

from typing import Final
from zoneinfo import available_timezones

_AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian")

ZONES: Final = tuple(
    sorted(
        zone
        for zone in available_timezones()
        if zone.partition("/")[0] in (*_AREAS, "Pacific") and "/" in zone
    )
)
