"""Stored quotes as a file, streamed."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import chain
from typing import Any

from flask import Response, request
from flask.views import MethodView
from flask_smorest import Blueprint, abort
from pymongo.database import Database

from api.cache.http_headers import GZIP_FROM_BYTES, coding
from api.errors import error_responses
from api.events.update_waiters import AtCapacity
from api.exports.columns import names
from api.exports.formats import FORMATS, Format
from api.exports.streaming import sent
from api.extensions import Services, services
from api.lookup.coin_lookup import answering, collected
from api.lookup.retention_guard import NOTED, noted
from api.schemas import export as schemas
from market.model.quotes import SUCCESSORS
from market.storage.database import Document, connect
from market.storage.quote_history import QuoteStream

blp = Blueprint("export", __name__, description="Stored quotes as a file")

RETRY_AFTER_SECONDS = 10


@blp.route("/v1/quotes/export")
class Export(MethodView):
    """A file of quotes."""

    @blp.arguments(schemas.ExportQuery, location="query")
    @blp.doc(responses={"200": schemas.FILE | {"headers": NOTED}})
    @error_responses(blp, 404, 503)
    def get(self, query: dict[str, Any]) -> Response:
        """Stored quotes as CSV, NDJSON or Parquet

        Streamed, of any length: `curl -OJ "http://…/v1/quotes/export?format=parquet"`. Coin by
        coin, in the order asked for, else by id; of each coin the newest quote first. So nothing
        has to be sorted or held. A retired id is exported as its successor's quotes, under the
        successor's id. What is stored while the file is under way may be in it or not.

        - CSV is as in RFC 4180, with a header; what is missing is empty. Numbers are as stored. A
          spreadsheet takes a text that begins with `=`, `+`, `-` or `@` for a formula, so such a
          text (and one that begins with a tab, a line end, their full-width forms or `'`) gets a
          `'` in front: the coin `-6` is `'-6`. Take one `'` off to have the id.
        - NDJSON is a JSON object a line; what is missing is null.
        - Parquet is compressed with zstd. Its times are timestamps in UTC, to the millisecond.

        CSV and NDJSON go compressed to who accepts gzip. If something fails on the way, the
        connection ends without the last chunk of its body, which a client reports as an error;
        the last line of CSV and NDJSON then says so, in a form that no reader takes for a quote.
        Quotes that are no longer kept are not in it; a header says from when on they are.

        A reader that takes less than 10 kB/s for half a minute is cut off.
        At most 4 exports run at once in a process; one more is answered with 503.
        """
        on = services()
        form = FORMATS[query["format"]]
        coded = coding(request.accept_encodings, GZIP_FROM_BYTES) if form.is_text else None
        chunks = _chunks(on, form, query, compressed=coded is not None)
        try:
            next(chunks)  # so that a refusal is an answer of its own
        except AtCapacity as error:
            abort(
                HTTPStatus.SERVICE_UNAVAILABLE,
                message=f"{error}; try again in {RETRY_AFTER_SECONDS} s",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        response = Response(chunks, content_type=form.content_type)
        name = f"{on.settings.database}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{query['format']}"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        series = [one for coin in query["coin"] for one in (coin, SUCCESSORS.get(coin, coin))]
        response.headers.update(noted(on, series or None, query.get("from")))
        if form.is_text:
            response.vary.add("Accept-Encoding")
        if coded is not None:
            response.content_encoding = coded
        return response


def _chunks(
    on: Services, form: Format, query: dict[str, Any], *, compressed: bool
) -> Iterator[bytes]:
    """What the file is sent as; an empty piece first."""
    repaired = query["include"] == "repaired"
    stream = QuoteStream(_database(on), repaired=repaired)
    coins: Iterable[str] = _asked(on, query["coin"]) or stream.coins()
    start, end = query.get("from"), query.get("to")
    records = chain.from_iterable(stream.records(one, start=start, end=end) for one in coins)
    return sent(
        form.encode(records, names(repaired=repaired)),
        broken_off=form.broken_off,
        compressed=compressed,
        port=request.environ["SERVER_PORT"],
    )


def _database(on: Services) -> Database[Document]:
    return connect(on.settings.server("mongodb_uri"), on.settings.database)


def _asked(on: Services, coins: list[str]) -> list[str]:
    """The ids whose quotes answer for the coins asked for, each once, in their order."""
    known = collected(on).difference(SUCCESSORS)  # read once, not for each of 250
    return list(dict.fromkeys(one if one in known else answering(on, one) for one in coins))
