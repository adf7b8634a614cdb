"""Where an outgoing connection may go: never to our own machines, whatever URL or DNS say.

Two checks that do not replace each other: `AddressPolicy.check_url` looks at what a brand wrote and
answers in words; `AddressPolicy.check` looks at the very IP that is about to be dialled, so that a
name which resolves to something else the second time gains nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL = 2_048
DEFAULT_PORTS = {"http": 80, "https": 443}
BRAND_PORTS = {"http": frozenset({80, 8080}), "https": frozenset({443, 8443})}

# `ipaddress.is_global` calls several of these global (64:ff9b::/96, 2002::/16, 5f00::/16,
# multicast), so the list is our own: IANA's special-purpose registries, and what clouds use.
_DENIED: tuple[tuple[str, str], ...] = (
    ("this_network", "0.0.0.0/8"),
    ("private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10"),
    ("shared", "100.64.0.0/10"),
    ("loopback", "127.0.0.0/8 ::1/128"),
    ("link_local", "169.254.0.0/16 fe80::/10"),
    ("cloud_platform", "168.63.129.16/32"),
    ("protocol", "192.0.0.0/24 192.31.196.0/24 192.52.193.0/24 192.175.48.0/24 2001::/23"),
    ("protocol", "100::/64 100:0:0:1::/64 2620:4f:8000::/48 5f00::/16"),
    ("documentation", "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"),
    ("benchmark", "198.18.0.0/15"),
    ("relay", "192.88.99.0/24 2002::/16"),
    ("multicast", "224.0.0.0/4 ff00::/8"),
    ("reserved", "240.0.0.0/4"),
    ("embedded_ipv4", "::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48"),
)
_NETWORKS = tuple((kind, ip_network(text)) for kind, texts in _DENIED for text in texts.split())
# All that IANA has given out for the public internet; the rest of IPv6 is nobody's address.
_PUBLIC_IPV6 = IPv6Network("2000::/3")
# What an operator's own host:port may be; the metadata services of clouds are not among them.
_LIFTABLE = frozenset({"private", "shared", "loopback"})

_URL = re.compile(r"[!-\[\]-~]+\Z")  # printable ASCII without space and backslash
_NETLOC = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(:[0-9]{1,5})?\Z")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")
_INTERNAL: tuple[str, ...] = (
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
)
_INTERNAL += ("private", "home.arpa", "in-addr.arpa", "ip6.arpa", "svc", "onion", "test", "invalid")


class ForbiddenAddress(Exception):
    """A URL or an IP that nothing may leave for; `reason` is for people and repeats no URL."""

    def __init__(self, code: str, reason: str) -> None:
        """Name the rule by a stable `code`."""
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart; `host` in its one spelling, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int
    path: str
    """With the query, as it stands in the request line."""

    @property
    def authority(self) -> str:
        """Return what belongs into the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def find_ip(host: str) -> Address | None:
    """Return the address that a host in its one spelling is, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def split_url(url: str) -> Target:
    """Take a URL apart by the strictest reading; raise `ForbiddenAddress` for any other.

    The check and the client use this one parser, so they cannot read the same URL differently.
    """
    if len(url) > MAX_URL:
        raise ForbiddenAddress("url_too_long", f"a URL has at most {MAX_URL} characters")
    if not _URL.match(url):
        raise ForbiddenAddress(
            "url_characters",
            "a URL is plain ASCII without spaces or backslashes; other letters are written xn--…",
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ForbiddenAddress("url_malformed", "this cannot be read as a URL") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise ForbiddenAddress("url_scheme", "a URL begins with https:// (or http://)")
    if "@" in parts.netloc:
        raise ForbiddenAddress("url_userinfo", "a URL carries no user name and no password")
    if "#" in url:
        raise ForbiddenAddress("url_fragment", "a URL carries no fragment (#…)")
    if port == 0 or not _NETLOC.match(parts.netloc):
        raise ForbiddenAddress("url_host", "a host may be followed by a port from 1 to 65535 only")
    path = (parts.path or "/") + (f"?{parts.query}" if "?" in url else "")
    host = _one_spelling(parts.hostname or "", bracketed="[" in parts.netloc)
    return Target(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path)


def _one_spelling(host: str, *, bracketed: bool) -> str:
    if bracketed:
        try:
            address = IPv6Address(host)
        except ValueError as error:
            raise ForbiddenAddress("url_host", "this is not an IPv6 address") from error
        if address.scope_id is not None:
            raise ForbiddenAddress("url_host", "an address carries no zone (%…)")
        return str(address)
    labels = host.split(".")
    # Programs read 2130706433, 0x7f.1 and 0177.0.0.1 as 127.0.0.1: a last label that is a number
    # makes the whole an IPv4 address (https://url.spec.whatwg.org/#ends-in-a-number-checker).
    if _NUMBER.match(labels[-1]):
        try:
            return str(IPv4Address(host))
        except ValueError as error:
            reason = "an IPv4 address is four decimal numbers, such as 192.0.2.1"
            raise ForbiddenAddress("url_host", reason) from error
    if len(host) > 253 or not all(_LABEL.match(label) for label in labels):
        raise ForbiddenAddress(
            "url_host", "a host name is letters, digits and hyphens with dots between"
        )
    return host


class AddressPolicy:
    """Which hosts an outgoing connection may reach; fixed when the process starts."""

    def __init__(self, allowed: Iterable[str] = (), *, denied: Iterable[str] = ()) -> None:
        """Take the operator's exact `host:port` pairs, and networks of their own to keep out of.

        A pair lets its host be loopback or private, on that port only, and by plain http. `denied`
        are networks in CIDR form (the machine's own public addresses, the cluster's ranges).
        """
        self._allowed = frozenset(_host_and_port(pair) for pair in allowed)
        self._denied = tuple(("operator", ip_network(text)) for text in denied)

    def check(self, host: str, port: int, ip: str) -> None:
        """Raise `ForbiddenAddress` unless a connection to `ip`, resolved from `host`, may be."""
        try:
            address = ip_address(ip)
        except ValueError as error:
            raise ForbiddenAddress(
                "address_malformed", "the resolver gave no IP address"
            ) from error
        kinds = self._kinds(address)
        if not kinds or ((host.lower(), port) in self._allowed and kinds <= _LIFTABLE):
            return
        raise ForbiddenAddress("address_forbidden", f"this host is a {min(kinds)} address")

    def check_url(self, url: str, *, https_only: bool = True) -> Target:
        """Return a brand's URL taken apart; raise `ForbiddenAddress` saying what is wrong.

        Asks no resolver: a name that passes is checked again, by its IP, at each connection.
        """
        target = split_url(url)
        if (target.host, target.port) in self._allowed:
            if find_ip(target.host) is not None:
                self.check(target.host, target.port, target.host)
            return target
        if https_only and target.scheme != "https":
            raise ForbiddenAddress("url_scheme", "a URL begins with https://")
        if target.port not in BRAND_PORTS[target.scheme]:
            ports = " or ".join(str(port) for port in sorted(BRAND_PORTS[target.scheme]))
            raise ForbiddenAddress("url_port", f"the port is {ports}")
        if find_ip(target.host) is not None:
            self.check(target.host, target.port, target.host)
        elif "." not in target.host or target.host.endswith(
            tuple(f".{name}" for name in _INTERNAL)
        ):
            raise ForbiddenAddress("url_internal_name", "this name belongs to a private network")
        return target

    def _kinds(self, address: Address) -> set[str]:
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return {"link_local"}
        kinds = {kind for kind, network in (*_NETWORKS, *self._denied) if address in network}
        if kinds == {"embedded_ipv4", "loopback"}:
            return {"loopback"}
        if not kinds and isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
            return {"reserved"}
        return kinds


def _host_and_port(pair: str) -> tuple[str, int]:
    host, separator, port = pair.rpartition(":")
    if not separator or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError("an allowed address is written host:port, with nothing left out")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        return _one_spelling(host.strip("[]").lower(), bracketed=bracketed), int(port)
    except ForbiddenAddress as error:
        raise ValueError(f"an allowed address is written host:port: {error.reason}") from error
