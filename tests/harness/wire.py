"""What goes over the wire to a source."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Wire:
    """A socket that answers every connection with the same bytes, and keeps what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.requests: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                asked = connection.recv(65_536)
                if asked:
                    self.requests.append(asked.decode())
                    connection.sendall(self._answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@contextmanager
def wire(
    status: str = "200 OK", headers: Mapping[str, str] | None = None, body: bytes = b"[]"
) -> Iterator[Wire]:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    made = Wire("\r\n".join([*lines, "", ""]).encode() + body)
    try:
        yield made
    finally:
        made.close()
