"""Correlations of coins."""

from collections.abc import Mapping
from typing import Any

from flask.views import MethodView

from api.blueprint import Blueprint
from api.errors import error_responses, refuse
from api.extensions import services
from api.lookup.coin_lookup import answering
from api.lookup.record_window import RecordWindow
from api.schemas import correlations as schemas
from api.schemas.record_window import MOST_RECORDS
from market.analytics.correlation import Pair, by_slot, correlations
from market.schedule.slots import SlotGrid
from market.storage.quote_history import Record

blp = Blueprint("correlations", __name__, description="How far coins move together")


@blp.route("/v1/correlations")
class Correlations(MethodView):
    """Pairs of coins."""

    @blp.arguments(schemas.CorrelationQuery, location="query")
    @blp.response(200, schemas.Pair(many=True))
    @error_responses(blp, 404, 410, 503)
    def get(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """The correlation of log returns of each two coins, in the order asked

        Each pair once, as rows of a table: of the answer `rows`,
        `pandas.DataFrame(rows).pivot(index="a", columns="b", values="correlation")` makes the
        upper half of the matrix.
        """
        on = services()
        stretch = RecordWindow.asked(query)
        coins = list(dict.fromkeys(answering(on, coin, stretch.as_of) for coin in query["coin"]))
        if len(coins) < schemas.LEAST_COINS:
            refuse(422, f"{query['coin']!r} are one coin; give two different ones")
        most = min(MOST_RECORDS, schemas.MOST_RECORDS_IN_ALL // len(coins))
        if (stretch.records or 0) > most:
            refuse(
                422,
                f"records is {stretch.records}: for {len(coins)} coins allowed is 1 to {most}, "
                f"{schemas.MOST_RECORDS_IN_ALL} in all",
            )
        series = {coin: stretch.read(on, coin, most) for coin in coins}
        times = [one.at for records in series.values() for one in records] or [stretch.moment]
        grid = SlotGrid(on.schedule, min(times), max(times))
        pairs = correlations({coin: by_slot(records, grid) for coin, records in series.items()})
        return [_row(pair, series, grid) for pair in pairs]


def _row(pair: Pair, series: Mapping[str, list[Record]], grid: SlotGrid) -> dict[str, Any]:
    newest = [series[coin][0] for coin in (pair.a, pair.b) if series[coin]]
    sources = dict.fromkeys(record.source for record in newest)
    both = len(newest) == len((pair.a, pair.b))
    return {
        "a": pair.a,
        "b": pair.b,
        "correlation": pair.correlation,
        "returns": pair.returns,
        "reason": pair.reason,
        "oldest": grid.time(pair.slots[0]) if pair.slots else None,
        "newest": grid.time(pair.slots[-1]) if pair.slots else None,
        "source": ", ".join(sources) or None,
        "as_of": min(record.at for record in newest) if both else None,
    }
