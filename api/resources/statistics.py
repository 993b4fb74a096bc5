"""GET /v1/coins/{coin}/statistics."""

from dataclasses import asdict
from typing import Any

from api.errors import error_responses
from api.extensions import current_services
from api.lookup.coin_lookup import resolve_coin
from api.lookup.record_window import RecordWindow
from api.schemas import statistics as schemas
from api.validation import Blueprint
from market.analytics.coverage import evidence
from market.analytics.summary import measures

blp = Blueprint("statistics", __name__, description="Statistics, with their evidence")


@blp.get("/v1/coins/<string(maxlength=128):coin>/statistics")
@blp.arguments(schemas.RecordWindowQuery, location="query")
@blp.response(200, schemas.Statistics)
@error_responses(blp, 404, 410, 503)
def statistics(query: dict[str, Any], coin: str) -> dict[str, Any]:
    """Statistics over the newest records or a window, with their evidence

    Covers the newest 100 records by default. With few records some measures are null, and `notes`
    says why. Numbers are not rounded.
    """
    services = current_services()
    window = RecordWindow.from_query(query)
    resolved = resolve_coin(services, coin, window.as_of)
    records = window.read(services, resolved, schemas.MAX_RECORDS)
    bounds = window.bounds(records)
    preceding = window.preceding(services, resolved) if bounds else []
    coverage = evidence(records, services.schedule, bounds, preceding)
    oldest_first = records[::-1]
    found = measures([one.price for one in oldest_first], [one.at for one in oldest_first])
    newest = coverage.newest
    return (
        asdict(coverage)
        | found.values
        | {
            "coin": resolved,
            "as_of": newest,
            "age_seconds": (window.moment - newest).total_seconds() if newest else None,
            "notes": found.reasons,
        }
    )
