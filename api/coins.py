"""The coins collected, with their latest quotes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask.views import MethodView
from flask_smorest.pagination import PaginationParameters

from api.errors import may_answer, refuse
from api.pages import Blueprint
from api.schemas import coins as schemas
from api.services import Services, services
from market.quotes import SUCCESSORS

blp = Blueprint("coins", __name__, description="The coins collected")

FRESH_SLOTS = 2
LATE_SLOTS = 8


@blp.route("/v1/coins")
class Coins(MethodView):
    """All coins."""

    @blp.arguments(schemas.CoinQuery, location="query")
    @blp.response(200, schemas.Coin(many=True))
    @may_answer(blp, 503)
    @blp.paginate(page_size=100, max_page_size=250)
    def get(
        self, query: dict[str, str], pagination_parameters: PaginationParameters
    ) -> list[dict[str, Any]]:
        """The coins collected, with latest quote, deviation and freshness"""
        on = services()
        found = _sorted(_searched(_coins(on), query["search"].casefold()), query["sort"])
        pagination_parameters.item_count = len(found)
        first = pagination_parameters.first_item
        page = found[first : first + pagination_parameters.page_size]
        return [_with_deviation(coin, on) for coin in page]


@blp.route("/v1/coins/<string(maxlength=128):coin>")
class OneCoin(MethodView):
    """One coin."""

    @blp.response(200, schemas.Coin)
    @may_answer(blp, 404, 503)
    def get(self, coin: str) -> dict[str, Any]:
        """One coin; an id that was retired names its successor"""
        on = services()
        found = next((one for one in _coins(on, coin) if one["id"] == coin), None)
        if found is None:
            refuse(404, f"{coin!r} is not collected; /v1/coins lists what is")
        return _with_deviation(found, on)


def _coins(on: Services, asked: str = "") -> list[dict[str, Any]]:
    """Every coin collected or configured, in the schema's form but for its deviation.

    A retired coin that is `asked` for is among them, so that its successor can be named.
    """
    now = datetime.now(UTC)
    interval = on.schedule.interval(now)
    latest = on.store.latest().coins
    known = on.store.coins()
    retired = [asked] if asked in SUCCESSORS else []
    return [
        _coin(coin, latest.get(coin, {}), known.get(coin, {}), now, interval)
        for coin in dict.fromkeys([*on.settings.selection.ids, *latest, *retired])
    ]


def _coin(
    coin: str,
    quote: dict[str, Any],
    known: dict[str, Any],
    now: datetime,
    interval: timedelta,
) -> dict[str, Any]:
    age = (now - quote["at"]) if quote else None
    successor = None if quote else SUCCESSORS.get(coin)
    names = {name: (quote or known).get(name) for name in ("name", "symbol", "rank")}
    return names | {
        "id": coin,
        "state": "retired" if successor else known.get("state", "active"),
        "successor": successor,
        "price": quote.get("price"),
        "market_cap": quote.get("market_cap"),
        "change_24h": quote.get("change_24h"),
        "volume_24h": quote.get("volume_24h"),
        "as_of": quote.get("at"),
        "recorded_at": quote.get("recorded_at"),
        "age_seconds": age.total_seconds() if age is not None else None,
        "freshness": _freshness(age, interval),
        "source": quote.get("source"),
    }


def _freshness(age: timedelta | None, interval: timedelta) -> str:
    if age is None:
        return "never"
    if age <= FRESH_SLOTS * interval:
        return "fresh"
    return "late" if age <= LATE_SLOTS * interval else "stale"


def _searched(coins: list[dict[str, Any]], part: str) -> list[dict[str, Any]]:
    texts = ("id", "name", "symbol")
    return [one for one in coins if any(part in (one[text] or "").casefold() for text in texts)]


def _sorted(coins: list[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    """In the order asked for; coins without the value come last, whichever way round."""
    name = sort.removeprefix("-")
    with_value = [one for one in coins if one[name] is not None]
    without = [one for one in coins if one[name] is None]
    return sorted(with_value, key=lambda one: one[name], reverse=sort != name) + without


def _with_deviation(coin: dict[str, Any], on: Services) -> dict[str, Any]:
    value, count = on.deviations.of(coin["id"], coin["as_of"])
    return {**coin, "deviation": value, "deviation_count": count}
