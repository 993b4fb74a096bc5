"""A web server in a thread, for an app of the tests."""

import threading
from collections.abc import Generator
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import flask
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wsgi import ClosingIterator

from bench.harness.services import wait_until

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def start(app: flask.Flask, port: int = 0) -> BaseWSGIServer:
    def closed_always(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Generator[bytes, None, None]:
        # Werkzeug's server leaves an answer's file open when the browser leaves in its middle.
        with closing(ClosingIterator(app(environ, start_response))) as answer:
            yield from answer

    def bound() -> BaseWSGIServer | None:
        # Between two tests another's server may have the port for a moment: werkzeug exits then.
        with suppress(OSError, SystemExit):
            return make_server("127.0.0.1", port, closed_always, threaded=True)
        return None

    server = wait_until(bound, f"port {port}")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def stop(server: BaseWSGIServer) -> None:
    server.shutdown()
    server.server_close()
