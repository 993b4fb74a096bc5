"""JSON bodies of requests, read so that no body is a fault of ours."""

from typing import Any

import orjson
from flask import Request
from flask_smorest import abort
from webargs import missing
from webargs.flaskparser import FlaskParser, is_json_request

from api.schemas.fields import shown
from logs.redaction import plain

# What the document says of each body.
REFUSALS = {"400": "The body is no JSON", "415": "The body's Content-Type is not that of JSON"}


class JsonBodyParser(FlaskParser):
    """As webargs', but for the JSON decoder: the standard one gives up on deep or long input with
    errors that are no JSONDecodeError.
    """

    def _raw_load_json(self, req: Request) -> Any:
        body = req.get_data()
        if not body:
            return missing
        if not is_json_request(req):
            given = shown(req.content_type or "")
            abort(415, message=f"Content-Type is {given}: allowed is application/json")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            abort(400, message=f"The body is no JSON: {plain(error)}")
