"""A coin's stored quotes."""

from typing import Any

from flask.views import MethodView

from api.blueprint import Blueprint
from api.errors import error_responses
from api.extensions import services
from api.lookup.coin_lookup import continued, saw
from api.lookup.retention_guard import NOTED, noted
from api.pagination import NEXT, next_page
from api.schemas import quotes as schemas
from api.schemas.time_range import until
from market.storage.quote_history import Record

blp = Blueprint("quotes", __name__, description="Quotes, as they were stored")


@blp.route("/v1/coins/<string(maxlength=128):coin>/quotes")
class Quotes(MethodView):
    """One coin's quotes."""

    @blp.arguments(schemas.QuoteQuery, location="query")
    @blp.response(200, schemas.Quote(many=True), headers=NEXT | NOTED)
    @error_responses(blp, 404, 410, 503)
    def get(self, query: dict[str, Any], coin: str) -> tuple[list[Record], dict[str, str]]:
        """Stored quotes of a coin, newest first

        `from` and `to` are of `at`, the source's own time. Quotes that are stored between two
        pages shift nothing: the Link goes on below the last quote of its page.
        """
        on = services()
        as_of, limit = query.get("as_of"), query["limit"]
        answers = continued(on, coin, query.get("cursor"), as_of)
        found = on.history.records(
            answers,
            start=query.get("from"),
            end=until(query),
            limit=limit + 1,  # one more tells whether there is a next page
            repaired=query["include"] == "repaired",
            as_of=as_of,
        )
        saw(on, answers, found)
        page = found[:limit]
        more = len(found) > limit
        if more:
            return page, next_page(schemas.QuoteQuery, answers, page[-1].at)
        return page, noted(on, [answers], query.get("from"))
