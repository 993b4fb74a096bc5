"""Serves an app from threads over keep-alive connections, as CoinGecko does."""

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
    """Encodes `document` as JSON; integers of any length stay exact."""
    try:
        return orjson.dumps(document)
    except TypeError:
        # orjson rejects integers over 64 bits and lone surrogates; recordings may contain both.
        return json.dumps(document).encode()


class _Handler(WSGIRequestHandler):
    """Answers several requests on one connection; Werkzeug's own handler closes after each."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes: with delayed acks, Nagle's algorithm adds 40 ms to a request.
    disable_nagle_algorithm = True
    timeout = 60

    def run_wsgi(self) -> None:
        body, status, headers = run_wsgi_app(self.server.app, self.make_environ())
        try:
            code, _, reason = status.partition(" ")
            self.send_response(int(code), reason)
            for name, value in headers:
                self.send_header(name, value)
            # An unread request body would be parsed as the next request.
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
        """Discards request logs: thousands of requests a second would fill a disk."""


def bind(app: Flask, host: str = "127.0.0.1", port: int = 0) -> BaseWSGIServer:
    """Returns a server that listens but does not answer yet; its `port` is the real one.

    Raises OSError if the address is not available, ValueError for an invalid port.
    """
    if not 0 <= port <= 65_535:
        raise ValueError(f"port is {port}: allowed are 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Werkzeug ends the process if it cannot bind, so it gets a socket that is already bound.
    with socket.create_server((host, port), family=family, backlog=_BACKLOG) as bound:
        return make_server(
            host, port, app, threaded=True, request_handler=_Handler, fd=bound.fileno()
        )


@contextmanager
def serving(app: Flask, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serves in a thread while the context lasts; yields the URL without a trailing slash."""
    server = bind(app, host, port)
    thread = Thread(target=server.serve_forever, args=(0.02,), name="simulator", daemon=True)
    thread.start()
    try:
        yield f"http://{server.host}:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
