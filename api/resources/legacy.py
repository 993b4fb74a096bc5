"""The seed's endpoints for reading: programs written for the seed work unchanged."""

from typing import Any

from flask import Response, jsonify
from flask.views import MethodView
from flask_smorest import Blueprint
from werkzeug.http import http_date

from api.errors import error_responses
from api.extensions import services
from api.lookup.coin_lookup import asked_records
from api.schemas import legacy as schemas
from api.schemas.errors import LegacyError
from market.analytics.statistics import deviation, rounded
from market.model.quotes import DEVIATION_WINDOW
from market.storage.quote_history import Record

blp = Blueprint("stats", __name__, description="As in the first KoinX")

COIN = {
    "in": "query",
    "name": "coin",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    "description": "A coin's id; an id that was retired is answered with its successor's quotes",
    "example": "bitcoin",
}


def _answer(body: dict[str, Any], newest: Record) -> Response:
    response = jsonify(body)
    response.headers["Last-Modified"] = http_date(newest.recorded_at)
    return response


@blp.route("/stats")
class StatsView(MethodView):
    """The latest statistics of one coin."""

    @blp.doc(parameters=[COIN])
    @blp.arguments(schemas.StatsQuery, location="query")
    @blp.response(200, schemas.Stats)
    @error_responses(blp, 400, 404, 410, 503, schema=LegacyError)
    def get(self, query: dict[str, Any]) -> Response:
        """Latest price, market cap and 24-hour change of a coin"""
        newest = asked_records(services(), 1, as_of=query.get("as_of"))[0]
        return _answer(
            {
                "price": newest.price,
                "marketCap": newest.market_cap,
                "24hChange": newest.change_24h,
            },
            newest,
        )


@blp.route("/deviation")
class DeviationView(MethodView):
    """The deviation of one coin's price."""

    @blp.doc(parameters=[COIN])
    @blp.arguments(schemas.DeviationQuery, location="query")
    @blp.response(200, schemas.Deviation)
    @error_responses(blp, 400, 404, 410, 503, schema=LegacyError)
    def get(self, query: dict[str, Any]) -> Response:
        """Standard deviation of a coin's newest 100 recorded prices

        Population standard deviation; one record gives 0. With include=repaired the answer says
        how many of its records were repaired from history.
        """
        repaired = query["include"] == "repaired"
        records = asked_records(
            services(), DEVIATION_WINDOW, repaired=repaired, as_of=query.get("as_of")
        )
        body: dict[str, Any] = {"deviation": rounded(deviation([one.price for one in records]))}
        if repaired:
            body["records"] = len(records)
            body["repaired"] = sum(one.resolution is not None for one in records)
        return _answer(body, records[0])
