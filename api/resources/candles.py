"""GET /v1/coins/{coin}/candles."""

from typing import Any

from api.errors import error_responses
from api.extensions import current_services
from api.lookup.coin_lookup import note_records, resolve_page
from api.lookup.retention_guard import KEPT_FROM_DOC, kept_from_header
from api.pagination import LINK_DOC, next_page, page_end
from api.schemas import candles as schemas
from api.validation import Blueprint
from market.model.candle import HOUR, INTERVALS, Candle

blp = Blueprint("candles", __name__, description="Candles, computed from quotes")


@blp.get("/v1/coins/<string(maxlength=128):coin>/candles")
@blp.arguments(schemas.CandleQuery, location="query")
@blp.response(200, schemas.Candle(many=True), headers=LINK_DOC | KEPT_FROM_DOC)
@error_responses(blp, 404, 503)
def candles(query: dict[str, Any], coin: str) -> tuple[list[Candle], dict[str, str]]:
    """Open, high, low and close of a coin by interval, newest first

    `from` and `to` apply to a candle's start, so each candle is complete; only the newest may
    still change. An interval without quotes has no candle. A page covers `limit` intervals from
    its newest candle on: where quotes are missing it has fewer candles, and more pages may follow
    even so, as its Link header says. Candles of an hour and longer outlive the quotes that
    retention deletes; candles of 15m do not, and the last page says so.
    """
    services = current_services()
    resolved = resolve_page(services, coin, query.get("cursor"))
    page = services.candles.page(
        resolved,
        INTERVALS[query["interval"]],
        start=query.get("from"),
        end=page_end(query),
        limit=query["limit"],
        repaired=query["include"] == "repaired",
    )
    # After the candles: they show no quote that is newer than this one.
    note_records(services, resolved, services.history.records(resolved, limit=1))
    if page.before:
        return page.candles, next_page(schemas.CandleQuery, resolved, page.before)
    if INTERVALS[query["interval"]] >= HOUR:
        return page.candles, {}
    return page.candles, kept_from_header(services, [resolved], query.get("from"))
