"""Creates the simulator's Flask app: CoinGecko's paths, and two of CoinPaprika's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isfinite

from flask import Flask, Response, g, request

from simulator.admin import ServedLog, admin_blueprint, json_response
from simulator.faults import PREFIX, CoinFaults, FaultRegistry, without_prefix
from simulator.market import Market
from simulator.replay import Replay
from simulator.rows import CHANGE_PERIODS, Query, Row, paprika_coin, ticker
from simulator.timestamps import DAY, HOUR, MINUTE, SECOND, iso

_STEPS = {"5m": 5 * MINUTE, "hourly": HOUR, "daily": DAY}
_LONGEST = {5 * MINUTE: 10 * DAY, HOUR: 100 * DAY}
_KEYS = ("x-cg-demo-api-key", "x-cg-pro-api-key")
_TOO_FAR = (
    "Your request exceeds the allowed time range. Public API users are limited to querying "
    "historical data within the past 365 days. Upgrade to a paid plan to enjoy full historical "
    "data access: https://www.coingecko.com/en/api/pricing. "
)


def now_ms() -> int:
    """Returns the current time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def create_simulator(
    market: Market | Replay,
    faults: FaultRegistry | None = None,
    clock: Callable[[], int] = now_ms,
    key: str | None = None,
) -> Flask:
    """Creates an app that answers as CoinGecko does, with and without `/api/v3` before the path.

    `faults` are active from the start; others are set and cleared by `/simulator/faults`, which
    requires `key` if there is one. `clock` returns milliseconds since 1970. Unlike CoinGecko, it
    treats a `per_page` over 250 as 250, and an invalid number as the default.
    """
    app = Flask("simulator", static_folder=None)
    registry = faults if faults is not None else FaultRegistry()
    app.register_blueprint(admin_blueprint(registry, ServedLog(), clock, key))

    views = Views(market, registry, clock)
    for path, view in (
        ("/ping", views.ping),
        ("/coins/markets", views.coins_markets),
        ("/simple/price", views.simple_price),
        ("/coins/list", views.coins_list),
        ("/coins/<coin_id>/market_chart", views.chart),
        ("/coins/<coin_id>/market_chart/range", views.chart_range),
    ):
        app.add_url_rule(path, path, view)
        app.add_url_rule(PREFIX + path, PREFIX + path, view)
    for path, view in (("/v1/tickers", views.tickers), ("/v1/coins", views.coins)):
        app.add_url_rule(path, path, view)

    @app.errorhandler(ErrorAnswer)
    def error_answer(error: ErrorAnswer) -> Response:
        return json_response(error.document, error.status)

    @app.errorhandler(404)
    def unknown_path(_: Exception) -> Response:
        return json_response({"error": f"Incorrect path {request.path}"}, 404)

    return app


class ErrorAnswer(Exception):
    """Answers the request with this status and document, as CoinGecko does on an error."""

    def __init__(self, document: object, status: int = 422) -> None:
        super().__init__(document)
        self.document = document
        self.status = status


class Views:
    """The views, one for each path; each answers the request that Flask handles at the moment."""

    def __init__(
        self, market: Market | Replay, faults: FaultRegistry, clock: Callable[[], int]
    ) -> None:
        self._market = market
        self._faults = faults
        self._clock = clock

    def ping(self) -> Response:
        """Answers /ping."""
        return json_response({"gecko_says": "(V3) To the Moon!"})

    def coins_markets(self) -> Response:
        """Answers /coins/markets; keeps the rows in `g.rows` for the log of served rows."""
        g.rows = self._rows(_markets_query(self._market, self._faults.coins()))
        return json_response(g.rows)

    def tickers(self) -> Response:
        """Answers CoinPaprika's /v1/tickers in the first currency of `quotes`."""
        currency = request.args.get("quotes", "USD").split(",")[0].lower()
        if currency not in self._market.currencies:
            raise ErrorAnswer({"error": "invalid quotes parameter"}, 400)
        query = Query(
            currency=currency,
            per_page=1_000_000,
            rehypothecated=True,  # wrapped coins are in this list
            without=self._faults.coins().retired,
            key=_key(),
        )
        g.rows = self._rows(query)
        return json_response([ticker(row, currency) for row in g.rows])

    def coins(self) -> Response:
        """Answers CoinPaprika's /v1/coins: all coins, the retired ones as inactive."""
        retired = self._faults.coins().retired
        return json_response(
            [
                paprika_coin(coin, active=coin["id"] not in retired)
                for coin in self._market.listing()
            ]
        )

    def simple_price(self) -> Response:
        """Answers /simple/price; unknown currencies and ids are omitted."""
        args = request.args
        for name in ("ids", "vs_currencies"):
            if name not in args:
                raise ErrorAnswer({"error": f"Missing parameter {name}"})
        prices: dict[str, Row] = {}
        currencies = dict.fromkeys(args["vs_currencies"].split(","))
        for currency in (name for name in currencies if name in self._market.currencies):
            query = Query(
                currency=currency,
                ids=tuple(args["ids"].split(",")),
                per_page=1_000_000,
                order="id_asc",
                precision=args.get("precision"),
                without=self._faults.coins().retired,
                key=f"{_key()}#{currency}",
            )
            for row in self._rows(query):
                entry = prices.setdefault(row["id"], {})
                entry.update(_simple(row, currency, args))
                if "last_updated_at" in entry:  # comes last, after all currencies
                    entry["last_updated_at"] = entry.pop("last_updated_at")
        return json_response(prices)

    def coins_list(self) -> Response:
        """Answers /coins/list: id, symbol and name of every coin."""
        retired = self._faults.coins().retired
        return json_response([c for c in self._market.listing() if c["id"] not in retired])

    def chart(self, coin_id: str) -> Response:
        """Answers /market_chart: the points of the last `days`."""
        currency = _currency(self._market)
        days = request.args.get("days")
        if days is None:
            raise ErrorAnswer({"error": "Missing parameter days"})
        now = self._clock()
        back = now if days == "max" else _number("days", days) * DAY
        return self._points(coin_id, currency, int(max(now - back, 0)), now, now)

    def chart_range(self, coin_id: str) -> Response:
        """Answers /market_chart/range; `from` and `to` are seconds since 1970."""
        currency = _currency(self._market)
        for name in ("from", "to"):
            if name not in request.args:
                raise ErrorAnswer({"error": f"Missing parameter {name}"})
        start, end = (int(_number(n, request.args[n]) * SECOND) for n in ("from", "to"))
        return self._points(coin_id, currency, start, end, self._clock())

    def _points(self, coin_id: str, currency: str, start: int, end: int, now: int) -> Response:
        found = None
        step = _STEPS.get(request.args.get("interval", ""))
        if step is not None and end - start > _LONGEST.get(step, end):
            step = None
        if start < now - 365 * DAY - MINUTE and not _has_key():
            raise ErrorAnswer(_too_far(now), 401)
        if coin_id not in self._faults.coins().retired:
            found = self._market.chart(coin_id, currency, start, end, now=now, step=step)
        if found is None:
            raise ErrorAnswer({"error": "coin not found"}, 404)
        return json_response(found)

    def _rows(self, query: Query) -> list[Row]:
        """Returns the market's rows with the coin faults applied."""
        now = self._clock()
        rows = self._market.markets(query, now)
        faults = self._faults.coins()
        if faults == CoinFaults():
            return rows
        for place, row in enumerate(rows):
            coin = row["id"]
            if coin in faults.frozen:
                rows[place] = self._market.frozen(coin, query, faults.frozen[coin]) or row
            if coin in faults.price:
                rows[place]["current_price"] = faults.price[coin]
                rows[place]["last_updated"] = iso(self._faults.stamp(now))
            if coin in faults.null_price:
                rows[place]["current_price"] = None
        return rows


def _currency(market: Market | Replay) -> str:
    currency = request.args.get("vs_currency")
    if currency is None:
        raise ErrorAnswer({"error": "Missing parameter vs_currency"})
    if currency not in market.currencies:
        raise ErrorAnswer({"error": "invalid vs_currency"})
    return currency


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not (isfinite(value) and 0 <= value < 1e11):
        raise ErrorAnswer({"error": f"Invalid {name}"})
    return value


def _count(name: str, default: int, maximum: int) -> int:
    text = request.args.get(name, "")
    if not (text.isdecimal() and len(text) <= 9 and int(text) > 0):
        return default
    return min(int(text), maximum)


def _key() -> str:
    return f"{without_prefix(request.path)}?{request.query_string.decode('latin-1')}"


def _has_key() -> bool:
    return any(request.headers.get(k) or request.args.get(k.replace("-", "_")) for k in _KEYS)


def _markets_query(market: Market | Replay, faults: CoinFaults) -> Query:
    args = request.args
    changes = args.get("price_change_percentage", "").split(",")
    return Query(
        currency=_currency(market),
        # Split at the comma alone: after ", " an id begins with a space and matches no coin.
        ids=tuple(args["ids"].split(",")) if args.get("ids") else None,
        per_page=_count("per_page", 100, 250),
        page=_count("page", 1, 10**9),
        order=args.get("order", "market_cap_desc"),
        changes=tuple(name for name in CHANGE_PERIODS if name in changes),
        sparkline=args.get("sparkline") == "true",
        precision=args.get("precision"),
        rehypothecated=args.get("include_rehypothecated") == "true",
        without=faults.retired,
        key=_key(),
    )


def _simple(row: Row, currency: str, args: Mapping[str, str]) -> Row:
    entry = {currency: row["current_price"]}
    for parameter, name, source in (
        ("include_market_cap", "market_cap", "market_cap"),
        ("include_24hr_vol", "24h_vol", "total_volume"),
        ("include_24hr_change", "24h_change", "price_change_percentage_24h"),
    ):
        if args.get(parameter, "").lower() == "true":
            value = row[source]
            entry[f"{currency}_{name}"] = None if value is None else float(value)
    if args.get("include_last_updated_at", "").lower() == "true":
        entry["last_updated_at"] = int(datetime.fromisoformat(row["last_updated"]).timestamp())
    return entry


def _too_far(now: int) -> Row:
    at = datetime.fromtimestamp(now / SECOND, UTC).isoformat(timespec="milliseconds")
    status = {"timestamp": at, "error_code": 10012, "error_message": _TOO_FAR}
    return {"error": {"status": status}}
