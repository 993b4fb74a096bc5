"""The coins collected, with their latest quotes."""

from datetime import UTC, datetime, timedelta

from flask.views import MethodView
from flask_smorest.pagination import PaginationParameters

from api.blueprint import Blueprint
from api.errors import error_responses, refuse
from api.extensions import Services, services
from api.lookup.coin_lookup import LONG_AGO, saw_latest
from api.schemas import coins as schemas
from market.analytics.recent_prices import NO_QUOTES, STEP, RecentPrices, sparkline_start
from market.model.quotes import SUCCESSORS
from market.storage.database import Document

blp = Blueprint("coins", __name__, description="The coins collected")

FRESH_SLOTS = 2
LATE_SLOTS = 8


@blp.route("/v1/coins")
class Coins(MethodView):
    """All coins."""

    @blp.arguments(schemas.CoinQuery, location="query")
    @blp.response(200, schemas.Coin(many=True))
    @error_responses(blp, 503)
    @blp.paginate(page_size=100, max_page_size=250)
    def get(
        self, query: dict[str, str], pagination_parameters: PaginationParameters
    ) -> list[Document]:
        """The coins collected, with latest quote, deviation, a week's sparkline and freshness"""
        on = services()
        found = _sorted(_searched(_listed(on), query["search"].casefold()), query["sort"])
        pagination_parameters.item_count = len(found)
        first = pagination_parameters.first_item
        return _shown(found[first : first + pagination_parameters.page_size], on)


@blp.route("/v1/coins/<string(maxlength=128):coin>")
class OneCoin(MethodView):
    """One coin."""

    @blp.response(200, schemas.CoinWithRecord)
    @error_responses(blp, 404, 503)
    def get(self, coin: str) -> Document:
        """One coin with its record of changes; an id that was retired names its successor"""
        on = services()
        found = next((one for one in _listed(on, coin) if one["coin"] == coin), None)
        if found is None:
            refuse(404, f"{coin!r} is not collected; /v1/coins lists what is")
        return _shown([found], on)[0]


def _listed(on: Services, asked: str = "") -> list[Document]:
    """The latest quote of every coin collected or configured; of one without any, its names.

    A retired coin that is `asked` for is among them, so that its successor can be named.
    """
    latest = on.store.latest().coins
    configured = [*on.settings.selection.ids, *([asked] if asked in SUCCESSORS else [])]
    saw_latest(
        on,
        dict.fromkeys(configured, LONG_AGO) | {coin: one["at"] for coin, one in latest.items()},
        max((one["recorded_at"] for one in latest.values()), default=LONG_AGO),
    )
    known = on.store.coins([coin for coin in configured if coin not in latest])
    return [
        latest.get(coin) or {"coin": coin, **_named(known.get(coin, {}))}
        for coin in dict.fromkeys([*configured, *latest])
    ]


def _named(known: Document) -> Document:
    return {name: known.get(name) for name in ("name", "symbol", "rank")}


def _shown(page: list[Document], on: Services) -> list[Document]:
    """The coins of a page in the schema's form; their sparklines are of the same week for all."""
    now = datetime.now(UTC)
    interval = on.schedule.interval(now)
    known = on.store.coins([one["coin"] for one in page])
    recents = on.recent_prices.of({one["coin"]: one["at"] for one in page if "at" in one})
    start = sparkline_start(now)
    return [
        _coin(one, known.get(one["coin"], {}), now, interval)
        | _recent_past(recents.get(one["coin"], NO_QUOTES), start)
        for one in page
    ]


def _coin(quote: Document, known: Document, now: datetime, interval: timedelta) -> Document:
    age = (now - quote["at"]) if "at" in quote else None
    successor = SUCCESSORS.get(quote["coin"]) if age is None else None
    return _named(quote) | {
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
    """In one word how old a quote is, counted in slots; None: there is none."""
    if age is None:
        return "never"
    if age <= FRESH_SLOTS * interval:
        return "fresh"
    return "late" if age <= LATE_SLOTS * interval else "stale"


def _searched(coins: list[Document], part: str) -> list[Document]:
    texts = ("coin", "name", "symbol")
    return [one for one in coins if any(part in (one[text] or "").casefold() for text in texts)]


def _sorted(coins: list[Document], sort: str) -> list[Document]:
    """In the order asked for; coins without the value come last, whichever way round."""
    name = sort.removeprefix("-")
    with_value = [one for one in coins if one.get(name) is not None]
    without = [one for one in coins if one.get(name) is None]
    return sorted(with_value, key=lambda one: one[name], reverse=sort != name) + without


def _recent_past(recent: RecentPrices, start: datetime) -> Document:
    return {
        "deviation": recent.deviation,
        "deviation_count": len(recent.prices),
        "sparkline": {
            "start": start,
            "step_seconds": STEP // timedelta(seconds=1),
            "prices": recent.sparkline(start),
        },
    }
