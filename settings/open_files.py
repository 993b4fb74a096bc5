"""How many files a process may have open, and so how many connections."""

import resource
from contextlib import suppress

WANTED = 16_384
MACOS = 10_240
CONNECTIONS = 4096  # that one process of a web server takes at once; it has other files beside


def connections() -> int:
    """How many connections a process of a web server may take here.

    Only trying tells what the system lets be reached: raises this process's own limit too.
    """
    return min(CONNECTIONS, raise_limit() // 2)


def raise_limit() -> int:
    """Has this process open as many as it wants, where the system lets it: often it says 1024.

    Gives how many it may have open now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return WANTED
    most = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    # macOS calls its limit infinite, and refuses more than another one: 10,240 on many machines.
    for wanted in (most, MACOS):
        if soft >= wanted:
            break
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft
