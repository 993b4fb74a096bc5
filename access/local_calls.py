"""Who calls: this machine itself, or somebody elsewhere, perhaps through a proxy."""

import ipaddress
import re
from collections.abc import Iterable, Mapping

from settings.model import is_loopback

# What proxies add, whoever is behind them: a call that has any of it began elsewhere.
FORWARDED = frozenset(
    {
        *("forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "client-ip"),
        *("true-client-ip", "cf-connecting-ip", "fastly-client-ip", "x-envoy-external-address"),
    }
)
PREFIXES = ("x-forwarded", "x-original-", "x-proxyuser-")
HTTPS = re.compile(r'(?:^|[;,\s])proto="?https\b', re.IGNORECASE)
NEIGHBOURS = 64  # bits of an IPv6 address that one subscriber has to choose from: one caller


def is_forwarded(headers: Iterable[str]) -> bool:
    """Whether a call with headers of these names came through a proxy."""
    names = [name.lower() for name in headers]
    return any(name in FORWARDED or name.startswith(PREFIXES) for name in names)


def is_local(address: str, headers: Iterable[str]) -> bool:
    """Whether a call from `address` was made on this machine."""
    return is_loopback(address) and not is_forwarded(headers)


def is_https(scheme: str, headers: Mapping[str, str]) -> bool:
    """Whether the caller's browser speaks TLS: with us, or with the proxy before us."""
    return (
        scheme == "https"
        or headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower() == "https"
        or HTTPS.search(headers.get("Forwarded", "")) is not None
    )


def counted_as(address: str) -> str:
    """Under which name a caller's failures are counted: its address; of IPv6, its network."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, NEIGHBOURS), strict=False))
    return str(found)
