"""Both ends of a TCP connection."""

import socket
from contextlib import ExitStack

Pair = tuple[socket.socket, socket.socket]


class Server:
    """A port with connections to it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port = str(self._listener.getsockname()[1])

    def connect(self) -> Pair:
        """A connection's two ends: the client's, and the server's."""
        address = self._listener.getsockname()
        client = self._stack.enter_context(socket.create_connection(address, timeout=10))
        return client, self._stack.enter_context(self._listener.accept()[0])
