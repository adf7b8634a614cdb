"""Links that are none: one address may try a few, and whoever has a good one is never asked.

Guessing 96 bits of a seal is hopeless anyway; this keeps those who try from keeping the house busy.
"""

from ipaddress import ip_address, ip_network
from typing import Final

from services.gateway.pace import Allowance, Pace

PER_SECOND: Final = 1 / 6
"""Wrong links that one address may open at length."""
BURST: Final = 20
"""And at once: a chat's preview, a mail program and a person may all try the same broken one."""
_NETWORK: Final = 64
"""Bits of an IPv6 address that one household or one machine has to itself."""


class WrongLinks:
    """Counts them by where they come from; what it remembers is bounded, as `Pace` is."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._pace = Pace(per_second=PER_SECOND, burst=BURST)

    def take(self, client: str | None) -> Allowance:
        """Count one that came from this IP address, as the server knows it."""
        return self._pace.take(_whose(client))


def _whose(client: str | None) -> str:
    try:
        address = ip_address(client or "")
    except ValueError:
        return ""
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address.packed, _NETWORK), strict=False))
