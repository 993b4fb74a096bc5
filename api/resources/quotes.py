"""GET /v1/coins/{coin}/quotes."""

from typing import Any

from api.errors import error_responses
from api.extensions import current_services
from api.lookup.coin_lookup import note_records, resolve_page
from api.lookup.retention_guard import KEPT_FROM_DOC, kept_from_header
from api.pagination import LINK_DOC, next_page, page_end
from api.schemas import quotes as schemas
from api.validation import Blueprint
from market.storage.quote_history import Record

blp = Blueprint("quotes", __name__, description="Quotes, as they were stored")


@blp.get("/v1/coins/<string(maxlength=128):coin>/quotes")
@blp.arguments(schemas.QuoteQuery, location="query")
@blp.response(200, schemas.Quote(many=True), headers=LINK_DOC | KEPT_FROM_DOC)
@error_responses(blp, 404, 410, 503)
def quotes(query: dict[str, Any], coin: str) -> tuple[list[Record], dict[str, str]]:
    """Stored quotes of a coin, newest first

    `from` and `to` apply to `at`, the source's time. Quotes stored between two pages shift
    nothing: the next page continues below the last quote of this one.
    """
    services = current_services()
    as_of, limit = query.get("as_of"), query["limit"]
    resolved = resolve_page(services, coin, query.get("cursor"), as_of)
    found = services.history.records(
        resolved,
        start=query.get("from"),
        end=page_end(query),
        limit=limit + 1,  # one more shows whether there is a next page
        repaired=query["include"] == "repaired",
        as_of=as_of,
    )
    note_records(services, resolved, found)
    page = found[:limit]
    if len(found) > limit:
        return page, next_page(schemas.QuoteQuery, resolved, page[-1].at)
    return page, kept_from_header(services, [resolved], query.get("from"))
