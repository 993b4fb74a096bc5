"""Raises the limit of open files, which also limits the connections of a web server."""

import resource
from contextlib import suppress

WANTED = 16_384
MACOS = 10_240
CONNECTIONS = 4096  # per process of a web server, which needs other open files too


def connections() -> int:
    """Returns how many connections a process of a web server may accept here.

    Only an attempt shows what the system allows: this raises this process's own limit too.
    """
    return min(CONNECTIONS, raise_limit() // 2)


def raise_limit() -> int:
    """Raises this process's limit of open files, often 1024, as far as allowed; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return WANTED
    most = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    # macOS reports an infinite limit, but allows no more than another one: often 10,240.
    for wanted in (most, MACOS):
        if soft >= wanted:
            break
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft
