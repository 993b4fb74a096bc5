"""GET /stats and /deviation of the original KoinX API, for programs written for it."""

import difflib
from datetime import datetime
from typing import Any

from flask import Response, jsonify, request
from flask_smorest import Blueprint
from werkzeug.http import http_date

from api.errors import LegacyError, error_responses, refuse
from api.extensions import Services, current_services
from api.lookup.coin_lookup import LONG_AGO, collected_ids, note_records, series_of
from api.lookup.retention_guard import check_as_of
from api.schemas import legacy as schemas
from market.analytics.statistics import deviation as deviation_of
from market.analytics.statistics import rounded
from market.model.quotes import DEVIATION_WINDOW, MAX_ID_LENGTH
from market.storage.quote_history import Record

blp = Blueprint("stats", __name__, description="Endpoints of the original KoinX API")

MAX_LISTED = 20
COIN = {
    "in": "query",
    "name": "coin",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    "description": "A coin's id. A retired id is answered with its successor's quotes",
    "example": "bitcoin",
}


@blp.get("/stats")
@blp.doc(parameters=[COIN])
@blp.arguments(schemas.StatsQuery, location="query")
@blp.response(200, schemas.Stats)
@error_responses(blp, 400, 404, 410, 503, schema=LegacyError)
def stats(query: dict[str, Any]) -> Response:
    """Latest price, market cap and 24-hour change of a coin"""
    newest = _records(current_services(), 1, as_of=query.get("as_of"))[0]
    body = {
        "price": newest.price,
        "marketCap": newest.market_cap,
        "24hChange": newest.change_24h,
    }
    return _response(body, newest)


@blp.get("/deviation")
@blp.doc(parameters=[COIN])
@blp.arguments(schemas.DeviationQuery, location="query")
@blp.response(200, schemas.Deviation)
@error_responses(blp, 400, 404, 410, 503, schema=LegacyError)
def deviation(query: dict[str, Any]) -> Response:
    """Standard deviation of a coin's last 100 recorded prices

    Population standard deviation; 0 for a single record. With include=repaired the response says
    how many of its records were repaired from history.
    """
    repaired = query["include"] == "repaired"
    records = _records(
        current_services(), DEVIATION_WINDOW, repaired=repaired, as_of=query.get("as_of")
    )
    body: dict[str, Any] = {"deviation": rounded(deviation_of([one.price for one in records]))}
    if repaired:
        body["records"] = len(records)
        body["repaired"] = sum(one.resolution is not None for one in records)
    return _response(body, records[0])


def _response(body: dict[str, Any], newest: Record) -> Response:
    response = jsonify(body)
    response.headers["Last-Modified"] = http_date(newest.recorded_at)
    return response


def _records(
    services: Services, limit: int, *, repaired: bool = False, as_of: datetime | None = None
) -> list[Record]:
    """Returns the records of the coin in the query, newest first.

    Refuses with 400 a missing coin or one that is not collected, with 404 one without quotes or
    with none known by `as_of`, and with 410 an `as_of` of which nothing is known any more.
    """
    coin = request.args.get("coin", "")
    if not coin:
        refuse(400, "Coin parameter is required")
    series = series_of(coin)
    check_as_of(services, series, as_of)
    read = services.history.records
    found = [
        read(one, limit=limit, repaired=repaired, as_of=as_of)
        for one in series
        if len(one) <= MAX_ID_LENGTH
    ]
    records = max(found, key=lambda one: one[0].at if one else LONG_AGO, default=[])
    if not records:
        known = collected_ids(services)
        if coin in known:
            refuse(404, f"No data found for {coin}")
        refuse(400, f"Unsupported coin. Must be one of: {_supported(coin, known)}")
    # Note all that were read: which of them answers depends on each.
    for one, of_one in zip(series, found, strict=True):
        note_records(services, one, of_one)
    return records


def _supported(coin: str, known: set[str]) -> str:
    if len(known) <= MAX_LISTED:
        return ", ".join(sorted(known))
    nearest = difflib.get_close_matches(coin[:MAX_ID_LENGTH], sorted(known), n=5, cutoff=0.4)
    some = nearest or sorted(known)[:5]
    return f"{', '.join(some)}, … ({len(known)} coins in all, at /v1/coins)"
