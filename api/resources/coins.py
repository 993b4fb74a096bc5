"""GET /v1/coins and /v1/coins/{coin}."""

from datetime import UTC, datetime, timedelta

from flask_smorest.pagination import PaginationParameters

from api.errors import error_responses
from api.extensions import Services, current_services
from api.lookup.coin_lookup import LONG_AGO, note_newest, refuse_unknown
from api.schemas import coins as schemas
from api.validation import Blueprint
from market.analytics.recent_prices import NO_QUOTES, STEP, RecentPrices, sparkline_start
from market.model.quotes import SUCCESSORS
from market.storage.database import Document

blp = Blueprint("coins", __name__, description="The coins collected")

FRESH_SLOTS = 2
LATE_SLOTS = 8


@blp.get("/v1/coins")
@blp.arguments(schemas.CoinQuery, location="query")
@blp.response(200, schemas.Coin(many=True))
@error_responses(blp, 503)
@blp.paginate(page_size=100, max_page_size=250)
def coins(query: dict[str, str], pagination_parameters: PaginationParameters) -> list[Document]:
    """Collected coins, with latest quote, deviation, a week's sparkline and freshness"""
    services = current_services()
    found = _sorted(_search(_collected(services), query["search"].casefold()), query["sort"])
    pagination_parameters.item_count = len(found)
    first = pagination_parameters.first_item
    return _complete(found[first : first + pagination_parameters.page_size], services)


@blp.get("/v1/coins/<string(maxlength=128):coin>")
@blp.response(200, schemas.CoinWithRecord)
@error_responses(blp, 404, 503)
def one_coin(coin: str) -> Document:
    """One coin with its changes; a retired id names its successor"""
    services = current_services()
    found = next((one for one in _collected(services, coin) if one["coin"] == coin), None)
    if found is None:
        refuse_unknown(coin)
    return _complete([found], services)[0]


def _collected(services: Services, requested: str = "") -> list[Document]:
    """Returns the latest quote of every collected coin; the names of one without quotes.

    Includes a retired coin that is `requested`, so that its successor can be named.
    """
    latest = services.store.latest().coins
    retired = [requested] if requested in SUCCESSORS else []
    configured = [*services.settings.selection.ids, *retired]
    note_newest(
        services,
        dict.fromkeys(configured, LONG_AGO) | {coin: one["at"] for coin, one in latest.items()},
        max((one["recorded_at"] for one in latest.values()), default=LONG_AGO),
    )
    known = services.store.coins([coin for coin in configured if coin not in latest])
    return [
        latest.get(coin) or {"coin": coin, **_names(known.get(coin, {}))}
        for coin in dict.fromkeys([*configured, *latest])
    ]


def _names(known: Document) -> Document:
    return {name: known.get(name) for name in ("name", "symbol", "rank")}


def _complete(page: list[Document], services: Services) -> list[Document]:
    """Puts the coins of a page in the schema's form; all sparklines cover the same week."""
    now = datetime.now(UTC)
    interval = services.schedule.interval(now)
    known = services.store.coins([one["coin"] for one in page])
    recent = services.recent_prices.of({one["coin"]: one["at"] for one in page if "at" in one})
    start = sparkline_start(now)
    return [
        _coin(one, known.get(one["coin"], {}), now, interval)
        | _recent(recent.get(one["coin"], NO_QUOTES), start)
        for one in page
    ]


def _coin(quote: Document, known: Document, now: datetime, interval: timedelta) -> Document:
    age = (now - quote["at"]) if "at" in quote else None
    successor = SUCCESSORS.get(quote["coin"]) if age is None else None
    return _names(quote) | {
        "id": quote["coin"],
        "state": "retired" if successor else known.get("state", "active"),
        "successor": successor,
        "price": quote.get("price"),
        "market_cap": quote.get("market_cap"),
        "change_24h": quote.get("change_24h"),
        "volume_24h": quote.get("volume_24h"),
        "as_of": quote.get("at"),
        "recorded_at": quote.get("recorded_at"),
        "age_seconds": age.total_seconds() if age is not None else None,
        "freshness": freshness(age, interval),
        "source": quote.get("source"),
        "changes": known.get("changes", []),
    }


def freshness(age: timedelta | None, interval: timedelta) -> str:
    """Returns how fresh a quote is, by its age in slots; None: there is no quote."""
    if age is None:
        return "never"
    if age <= FRESH_SLOTS * interval:
        return "fresh"
    return "late" if age <= LATE_SLOTS * interval else "stale"


def _search(coins: list[Document], part: str) -> list[Document]:
    texts = ("coin", "name", "symbol")
    return [one for one in coins if any(part in (one[text] or "").casefold() for text in texts)]


def _sorted(coins: list[Document], sort: str) -> list[Document]:
    """Sorts as requested; coins without the value come last in either direction."""
    name = sort.removeprefix("-")
    with_value = [one for one in coins if one.get(name) is not None]
    without = [one for one in coins if one.get(name) is None]
    return sorted(with_value, key=lambda one: one[name], reverse=sort != name) + without


def _recent(recent: RecentPrices, start: datetime) -> Document:
    return {
        "deviation": recent.deviation,
        "deviation_count": len(recent.prices),
        "sparkline": {
            "start": start,
            "step_seconds": STEP // timedelta(seconds=1),
            "prices": recent.sparkline(start),
        },
    }
