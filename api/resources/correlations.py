"""GET /v1/correlations."""

from collections.abc import Mapping
from typing import Any

from api.errors import error_responses, refuse
from api.extensions import current_services
from api.lookup.coin_lookup import resolve_coin
from api.lookup.record_window import RecordWindow
from api.schemas import correlations as schemas
from api.schemas.statistics import MAX_RECORDS
from api.validation import Blueprint
from market.analytics.correlation import Pair, by_slot
from market.analytics.correlation import correlations as correlate
from market.schedule.slots import SlotGrid
from market.storage.quote_history import Record

blp = Blueprint("correlations", __name__, description="Correlations of coins")


@blp.get("/v1/correlations")
@blp.arguments(schemas.CorrelationQuery, location="query")
@blp.response(200, schemas.Pair(many=True))
@error_responses(blp, 404, 410, 503)
def correlations(query: dict[str, Any]) -> list[dict[str, Any]]:
    """Correlation of log returns for each pair of coins, in the order requested

    Each pair appears once, as a row of a table. With the response as `rows`,
    `pandas.DataFrame(rows).pivot(index="a", columns="b", values="correlation")` makes the upper
    half of the matrix.
    """
    services = current_services()
    window = RecordWindow.from_query(query)
    coins = list(
        dict.fromkeys(resolve_coin(services, coin, window.as_of) for coin in query["coin"])
    )
    if len(coins) < schemas.MIN_COINS:
        refuse(422, f"{query['coin']!r} are the same coin; give two different ones")
    most = min(MAX_RECORDS, schemas.MAX_TOTAL_RECORDS // len(coins))
    if (window.records or 0) > most:
        refuse(
            422,
            f"records is {window.records}: for {len(coins)} coins allowed is 1 to {most}, "
            f"{schemas.MAX_TOTAL_RECORDS} in total",
        )
    series = {coin: window.read(services, coin, most) for coin in coins}
    times = [one.at for records in series.values() for one in records] or [window.moment]
    grid = SlotGrid(services.schedule, min(times), max(times))
    pairs = correlate({coin: by_slot(records, grid) for coin, records in series.items()})
    return [_row(pair, series, grid) for pair in pairs]


def _row(pair: Pair, series: Mapping[str, list[Record]], grid: SlotGrid) -> dict[str, Any]:
    newest = [series[coin][0] for coin in (pair.a, pair.b) if series[coin]]
    sources = dict.fromkeys(record.source for record in newest)
    return {
        "a": pair.a,
        "b": pair.b,
        "correlation": pair.correlation,
        "returns": pair.returns,
        "reason": pair.reason,
        "oldest": grid.time(pair.slots[0]) if pair.slots else None,
        "newest": grid.time(pair.slots[-1]) if pair.slots else None,
        "source": ", ".join(sources) or None,
        "as_of": min(record.at for record in newest) if len(newest) == 2 else None,
    }
