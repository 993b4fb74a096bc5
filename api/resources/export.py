"""GET /v1/quotes/export: stored quotes as a streamed file."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint

from api.cache.http_headers import GZIP_FROM_BYTES, content_coding
from api.errors import error_responses, refuse
from api.events.update_waiters import AtCapacity
from api.exports.columns import names
from api.exports.formats import FORMATS, Format
from api.exports.streaming import stream
from api.extensions import Services, current_services
from api.lookup.coin_lookup import collected_ids, resolve_coin, series_of
from api.lookup.retention_guard import KEPT_FROM_DOC, kept_from_header
from api.schemas import export as schemas
from market.model.quotes import SUCCESSORS
from market.storage.database import connect
from market.storage.quote_history import QuoteStream

blp = Blueprint("export", __name__, description="Stored quotes as a file")

RETRY_AFTER_SECONDS = 10


@blp.get("/v1/quotes/export")
@blp.arguments(schemas.ExportQuery, location="query")
@blp.doc(responses={"200": schemas.FILE | {"headers": KEPT_FROM_DOC}})
@error_responses(blp, 404, 503)
def export_quotes(query: dict[str, Any]) -> Response:
    """Stored quotes as CSV, NDJSON or Parquet

    Streamed, of any length: `curl -OJ "http://…/v1/quotes/export?format=parquet"`. Coin by coin,
    in the order requested, or by id; of each coin the newest quote first, so nothing has to be
    sorted or held in memory. A retired id is exported as its successor's quotes, under the
    successor's id. Quotes stored during the export may or may not be included.

    - CSV follows RFC 4180, with a header; missing values are empty. Numbers are as stored. A
      spreadsheet takes a text that begins with `=`, `+`, `-` or `@` for a formula, so such a text
      (and one that begins with a tab, a line end, their full-width forms or `'`) gets a `'` in
      front: the coin `-6` is `'-6`. Remove one `'` to get the id.
    - NDJSON is one JSON object per line; missing values are null.
    - Parquet is compressed with zstd. Times are timestamps in UTC, to the millisecond.

    CSV and NDJSON are compressed for clients that accept gzip. If the export fails, the
    connection ends without the last chunk of the body, which a client reports as an error; the
    last line of CSV and NDJSON then says so, in a form that no reader takes for a quote. Quotes
    that retention has deleted are not included; a header says from when on quotes are kept.

    A client that reads less than 10 kB/s for half a minute is disconnected.
    At most 4 exports run at once in a process; one more is answered with 503.
    """
    services = current_services()
    form = FORMATS[query["format"]]
    coding = content_coding(request.accept_encodings, GZIP_FROM_BYTES) if form.is_text else None
    chunks = _chunks(services, form, query, compressed=coding is not None)
    try:
        next(chunks)  # so that a refusal is a response of its own
    except AtCapacity as error:
        message = f"{error}; try again in {RETRY_AFTER_SECONDS} s"
        refuse(503, message, retry_after=RETRY_AFTER_SECONDS)
    response = Response(chunks, content_type=form.content_type)
    name = f"{services.settings.database}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{query['format']}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    series = list(chain.from_iterable(map(series_of, query["coin"])))
    response.headers.update(kept_from_header(services, series or None, query.get("from")))
    if form.is_text:
        response.vary.add("Accept-Encoding")
    if coding is not None:
        response.content_encoding = coding
    return response


def _chunks(
    services: Services, form: Format, query: dict[str, Any], *, compressed: bool
) -> Iterator[bytes]:
    """Yields the file as it is sent; an empty piece first."""
    repaired = query["include"] == "repaired"
    settings = services.settings
    database = connect(settings.server("mongodb_uri"), settings.database)
    quotes = QuoteStream(database, repaired=repaired)
    coins: Iterable[str] = _requested(services, query["coin"]) or quotes.coins()
    start, end = query.get("from"), query.get("to")
    records = chain.from_iterable(quotes.records(one, start=start, end=end) for one in coins)
    return stream(
        form.encode(records, names(repaired=repaired)),
        broken_off=form.broken_off,
        compressed=compressed,
        port=request.environ["SERVER_PORT"],
    )


def _requested(services: Services, coins: list[str]) -> list[str]:
    """Returns the ids whose quotes answer for the requested coins, each once, in their order."""
    known = collected_ids(services).difference(SUCCESSORS)  # read once, not for each of 250
    resolved = (one if one in known else resolve_coin(services, one) for one in coins)
    return list(dict.fromkeys(resolved))
