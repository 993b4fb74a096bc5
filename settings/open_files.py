"""How many files a process may have open, and so how many connections."""

import resource
from contextlib import suppress

WANTED = 16_384
MACOS = 10_240
CONNECTIONS = 4096  # that one process of a web server takes at once; it has other files beside


def connections() -> int:
    """How many connections a process of a web server may take here."""
    return min(CONNECTIONS, _most() // 2)


def raise_limit() -> None:
    """Has this process open as many as it wants, where the system lets it: often it says 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS calls its limit infinite, and refuses more than another one: 10,240 on many machines.
    for most in (_most(), MACOS):
        if soft == resource.RLIM_INFINITY or soft >= most:
            return
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            return


def _most() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
