"""How large a request may be."""

from flask import Flask, request

from api.errors import refuse
from api.schemas import correlations, export
from market.model.quotes import MAX_ID_LENGTH

MAX_BODY_BYTES = 64 * 1024
# A kept answer's key holds its query; no query that means something is longer, but for those that
# name many coins, whose answers are not kept.
MAX_QUERY_BYTES = 1024
ONE_COIN_BYTES = len("coin=&") + MAX_ID_LENGTH
LONG_QUERIES = {  # by blueprint
    "export": MAX_QUERY_BYTES + export.MOST_COINS * ONE_COIN_BYTES,
    "correlations": MAX_QUERY_BYTES + correlations.MOST_COINS * ONE_COIN_BYTES,
}


def limit_request_size(app: Flask) -> None:
    """Answers 414 to a long query, and 413 to a large body, whatever they are sent to."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.before_request(_refuse)


def _refuse() -> None:
    length = len(request.query_string)
    allowed = LONG_QUERIES.get(request.blueprint or "", MAX_QUERY_BYTES)
    if length > allowed:
        refuse(414, f"The query has {length} bytes, allowed are {allowed}: ask for less at once")
    # Flask looks at a body's length when the body is read; most views read none.
    if (request.content_length or 0) > MAX_BODY_BYTES:
        refuse(413, f"The body has {request.content_length} bytes, allowed are {MAX_BODY_BYTES}")
