"""A coin's candles."""

from typing import Any

from flask.views import MethodView

from api.blueprint import Blueprint
from api.errors import error_responses
from api.extensions import services
from api.lookup.coin_lookup import continued, saw
from api.lookup.retention_guard import NOTED, noted
from api.pagination import NEXT, next_page
from api.schemas import candles as schemas
from api.schemas.time_range import until
from market.model.candle import HOUR, INTERVALS, Candle

blp = Blueprint("candles", __name__, description="Candles, made from the quotes")


@blp.route("/v1/coins/<string(maxlength=128):coin>/candles")
class Candles(MethodView):
    """One coin's candles."""

    @blp.arguments(schemas.CandleQuery, location="query")
    @blp.response(200, schemas.Candle(many=True), headers=NEXT | NOTED)
    @error_responses(blp, 404, 503)
    def get(self, query: dict[str, Any], coin: str) -> tuple[list[Candle], dict[str, str]]:
        """Open, high, low and close of a coin by interval, newest first

        `from` and `to` are of a candle's start, so each candle is whole; only the newest may still
        grow. An interval without any quote has no candle. A page covers `limit` intervals, from
        its newest candle on: where quotes are missing it has fewer candles, and there may be more
        behind it all the same, as its Link says. Candles of an hour and more are there also of
        quotes that are no longer kept; those of 15m are not, and the last page says so.
        """
        on = services()
        answers = continued(on, coin, query.get("cursor"))
        page = on.candles.page(
            answers,
            INTERVALS[query["interval"]],
            start=query.get("from"),
            end=until(query),
            limit=query["limit"],
            repaired=query["include"] == "repaired",
        )
        # After them: they show no quote that is newer than this one.
        saw(on, answers, on.history.records(answers, limit=1))
        if page.before:
            return page.candles, next_page(schemas.CandleQuery, answers, page.before)
        if INTERVALS[query["interval"]] >= HOUR:
            return page.candles, {}
        return page.candles, noted(on, [answers], query.get("from"))
