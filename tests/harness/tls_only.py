"""Whether something listens at a port."""

import socket
from contextlib import suppress
from urllib.parse import urlsplit


def listens(address: str) -> bool:
    with (
        suppress(OSError),
        socket.create_connection(("127.0.0.1", urlsplit(address).port or 0), timeout=1),
    ):
        return True
    return False
