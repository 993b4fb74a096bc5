"""A WSGI application that answers the same bytes to whatever is asked: what Granian itself costs.

`KOINX_BARE` names the file with the answer: its headers and its body, as `write` makes it.
"""

import base64
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

VARIABLE = "KOINX_BARE"
OF_THE_SERVER = ("date", "server")  # headers that Granian adds itself


def write(path: Path, headers: Iterable[tuple[str, str]], body: bytes) -> None:
    """Writes the answer that the application is to give."""
    few = [[name, value] for name, value in headers if name.lower() not in OF_THE_SERVER]
    path.write_text(json.dumps({"headers": few, "body": base64.b64encode(body).decode()}))


def _read() -> tuple[Sequence[tuple[str, str]], bytes]:
    answer = json.loads(Path(os.environ[VARIABLE]).read_text())
    headers = [(name, value) for name, value in answer["headers"]]
    return headers, base64.b64decode(answer["body"])


_headers, _body = _read() if VARIABLE in os.environ else ([], b"")
_status = "200 OK" if _body else "304 NOT MODIFIED"


def app(_: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
    """The answer."""
    start_response(_status, list(_headers))
    return [_body]
