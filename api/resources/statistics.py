"""Statistics of one coin, with the evidence for them."""

from dataclasses import asdict
from typing import Any

from flask.views import MethodView

from api.blueprint import Blueprint
from api.errors import error_responses
from api.extensions import services
from api.lookup.coin_lookup import answering
from api.lookup.record_window import RecordWindow
from api.schemas import statistics as schemas
from api.schemas.record_window import MOST_RECORDS, RecordWindowQuery
from market.analytics.coverage import evidence
from market.analytics.summary import measures

blp = Blueprint("statistics", __name__, description="Statistics, with what they rest on")


@blp.route("/v1/coins/<string(maxlength=128):coin>/statistics")
class Statistics(MethodView):
    """One coin's statistics."""

    @blp.arguments(RecordWindowQuery, location="query")
    @blp.response(200, schemas.Statistics)
    @error_responses(blp, 404, 410, 503)
    def get(self, query: dict[str, Any], coin: str) -> dict[str, Any]:
        """Measures over the newest records or a window, with their evidence

        Over the newest 100 records, unless asked otherwise. With few records some measures are
        null, and `notes` says why. The numbers are not rounded.
        """
        on = services()
        stretch = RecordWindow.asked(query)
        answers = answering(on, coin, stretch.as_of)
        records = stretch.read(on, answers, MOST_RECORDS)
        window = stretch.bounds(records)
        early = stretch.before(on, answers) if window else []
        rests_on = evidence(records, on.schedule, window, early)
        oldest_first = records[::-1]
        found = measures([one.price for one in oldest_first], [one.at for one in oldest_first])
        newest = rests_on.newest
        age = None if newest is None else (stretch.moment - newest).total_seconds()
        return (
            asdict(rests_on)
            | found.values
            | {
                "coin": answers,
                "as_of": newest,
                "age_seconds": age,
                "notes": found.reasons,
            }
        )
