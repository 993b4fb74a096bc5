"""Tells calls from this machine apart from those of others, with or without a proxy."""

import ipaddress
import re
from collections.abc import Iterable, Mapping

from settings.model import is_loopback

# Headers that proxies add: a call with any of them comes from elsewhere.
FORWARDED = frozenset(
    {
        *("forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "client-ip"),
        *("true-client-ip", "cf-connecting-ip", "fastly-client-ip", "x-envoy-external-address"),
    }
)
PREFIXES = ("x-forwarded", "x-original-", "x-proxyuser-")
HTTPS = re.compile(r'(?:^|[;,\s])proto="?https\b', re.IGNORECASE)
IPV6_PREFIX = 64  # one subscriber usually controls a whole /64: it counts as one caller


def is_forwarded(headers: Iterable[str]) -> bool:
    """Returns whether a call with these header names came through a proxy."""
    names = [name.lower() for name in headers]
    return any(name in FORWARDED or name.startswith(PREFIXES) for name in names)


def is_local(address: str, headers: Iterable[str]) -> bool:
    """Returns whether a call from `address` was made on this machine."""
    return is_loopback(address) and not is_forwarded(headers)


def is_https(scheme: str, headers: Mapping[str, str]) -> bool:
    """Returns whether the browser uses TLS, to this server or to the proxy in front of it."""
    return (
        scheme == "https"
        or headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower() == "https"
        or HTTPS.search(headers.get("Forwarded", "")) is not None
    )


def client_key(address: str) -> str:
    """Returns the key that identifies a caller: its IPv4 address, or its IPv6 network."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed)
