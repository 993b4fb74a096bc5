"""A small threaded HTTP server that keeps connections open, as CoinGecko's does."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import orjson
from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app

_BACKLOG = 1024


def encode(document: object) -> bytes:
    """`document` as JSON; whole numbers of any length stay whole."""
    try:
        return orjson.dumps(document)
    except TypeError:
        # orjson ends at 64 bits, and takes no lone surrogate: both may have been recorded.
        return json.dumps(document).encode()


class _Handler(WSGIRequestHandler):
    """Answers several requests on one connection; Werkzeug's own closes after each."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes: together with delayed acks, Nagle's wait is 40 ms a request.
    disable_nagle_algorithm = True
    timeout = 60

    def run_wsgi(self) -> None:
        body, status, headers = run_wsgi_app(self.server.app, self.make_environ())
        try:
            code, _, reason = status.partition(" ")
            self.send_response(int(code), reason)
            for name, value in headers:
                self.send_header(name, value)
            # An unread request body would be taken for the next request.
            if self.command != "GET" or "Content-Length" not in headers:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                for chunk in body:
                    self.wfile.write(chunk)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()

    def log(self, type: str, message: str, *args: object) -> None:
        """Requests are not logged: a load of thousands a second would fill a disk."""


def bind(app: Flask, host: str = "127.0.0.1", port: int = 0) -> BaseWSGIServer:
    """A server that is bound and listens, but does not answer yet; its `port` is the real one.

    Raises OSError if the address cannot be had, ValueError if the port is no port.
    """
    if not 0 <= port <= 65_535:
        raise ValueError(f"port is {port}: allowed are 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Werkzeug ends the process when it cannot bind, so it is given a socket that is bound.
    with socket.create_server((host, port), family=family, backlog=_BACKLOG) as bound:
        return make_server(
            host, port, app, threaded=True, request_handler=_Handler, fd=bound.fileno()
        )


@contextmanager
def serving(app: Flask, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Answers in a thread while the context lasts; gives the URL, without a slash at its end."""
    server = bind(app, host, port)
    thread = Thread(target=server.serve_forever, args=(0.02,), name="simulator", daemon=True)
    thread.start()
    try:
        yield f"http://{server.host}:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
