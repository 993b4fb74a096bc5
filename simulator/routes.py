"""What the simulator answers to each of CoinGecko's paths, and to CoinPaprika's two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isfinite

from flask import Response, g, request

from simulator.admin import answer
from simulator.fault_registry import CoinFaults, FaultBook
from simulator.faults import bare
from simulator.market import Market
from simulator.query import CHANGES, Query, Row
from simulator.replay import Replay
from simulator.tickers import listed, ticker
from simulator.timestamps import DAY, HOUR, MINUTE, SECOND, iso

_STEPS = {"5m": 5 * MINUTE, "hourly": HOUR, "daily": DAY}
_LONGEST = {5 * MINUTE: 10 * DAY, HOUR: 100 * DAY}
_KEYS = ("x-cg-demo-api-key", "x-cg-pro-api-key")
_TOO_FAR = (
    "Your request exceeds the allowed time range. Public API users are limited to querying "
    "historical data within the past 365 days. Upgrade to a paid plan to enjoy full historical "
    "data access: https://www.coingecko.com/en/api/pricing. "
)


class Refused(Exception):
    """A request that is answered with this status and document instead."""

    def __init__(self, document: object, status: int = 422) -> None:
        super().__init__(document)
        self.document = document
        self.status = status


class Answers:
    """The views, one a path; each answers the request that Flask handles at the moment.

    `clock` gives the present in milliseconds since 1970. A view raises Refused where CoinGecko
    answers with an error.
    """

    def __init__(self, market: Market | Replay, book: FaultBook, clock: Callable[[], int]) -> None:
        self._market = market
        self._book = book
        self._clock = clock

    def ping(self) -> Response:
        """The answer of /ping."""
        return answer({"gecko_says": "(V3) To the Moon!"})

    def coins_markets(self) -> Response:
        """A page of rows; they are left in `g.rows` for the log."""
        g.rows = self._rows(_markets_query(self._market, self._book.coins()))
        return answer(g.rows)

    def tickers(self) -> Response:
        """CoinPaprika's list of all coins, in the first currency of `quotes`; rows as above."""
        currency = request.args.get("quotes", "USD").split(",")[0].lower()
        if currency not in self._market.currencies:
            raise Refused({"error": "invalid quotes parameter"}, 400)
        query = Query(
            currency=currency,
            per_page=1_000_000,
            rehypothecated=True,  # wrapped coins stand among the others
            without=self._book.coins().retired,
            key=_key(),
        )
        g.rows = self._rows(query)
        return answer([ticker(row, currency) for row in g.rows])

    def coins(self) -> Response:
        """CoinPaprika's list of all coins; those that are retired are there, as inactive ones."""
        retired = self._book.coins().retired
        known = self._market.listing()
        return answer([listed(one, active=one["id"] not in retired) for one in known])

    def simple_price(self) -> Response:
        """An object of each coin's prices; currencies and ids that are unknown are left out."""
        args = request.args
        for name in ("ids", "vs_currencies"):
            if name not in args:
                raise Refused({"error": f"Missing parameter {name}"})
        prices: dict[str, Row] = {}
        asked = dict.fromkeys(args["vs_currencies"].split(","))
        for currency in (name for name in asked if name in self._market.currencies):
            query = Query(
                currency=currency,
                ids=tuple(args["ids"].split(",")),
                per_page=1_000_000,
                order="id_asc",
                precision=args.get("precision"),
                without=self._book.coins().retired,
                key=f"{_key()}#{currency}",
            )
            for row in self._rows(query):
                entry = prices.setdefault(row["id"], {})
                entry.update(_simple(row, currency, args))
                if "last_updated_at" in entry:  # stands last, after all currencies
                    entry["last_updated_at"] = entry.pop("last_updated_at")
        return answer(prices)

    def coins_list(self) -> Response:
        """Id, symbol and name of every coin."""
        retired = self._book.coins().retired
        return answer([c for c in self._market.listing() if c["id"] not in retired])

    def chart(self, coin_id: str) -> Response:
        """The points of the last `days`."""
        currency = _currency(self._market)
        days = request.args.get("days")
        if days is None:
            raise Refused({"error": "Missing parameter days"})
        now = self._clock()
        back = now if days == "max" else _number("days", days) * DAY
        return self._points(coin_id, currency, int(max(now - back, 0)), now, now)

    def chart_range(self, coin_id: str) -> Response:
        """The points between `from` and `to`, in seconds since 1970."""
        currency = _currency(self._market)
        for name in ("from", "to"):
            if name not in request.args:
                raise Refused({"error": f"Missing parameter {name}"})
        start, end = (int(_number(n, request.args[n]) * SECOND) for n in ("from", "to"))
        return self._points(coin_id, currency, start, end, self._clock())

    def _points(self, coin_id: str, currency: str, start: int, end: int, now: int) -> Response:
        found = None
        step = _STEPS.get(request.args.get("interval", ""))
        if step is not None and end - start > _LONGEST.get(step, end):
            step = None
        if start < now - 365 * DAY - MINUTE and not _has_key():
            raise Refused(_too_far(now), 401)
        if coin_id not in self._book.coins().retired:
            found = self._market.chart(coin_id, currency, start, end, now=now, step=step)
        if found is None:
            raise Refused({"error": "coin not found"}, 404)
        return answer(found)

    def _rows(self, query: Query) -> list[Row]:
        """The market's rows with the coin faults laid over them."""
        now = self._clock()
        rows = self._market.markets(query, now)
        faults = self._book.coins()
        if faults == CoinFaults():
            return rows
        for place, row in enumerate(rows):
            coin = row["id"]
            if coin in faults.frozen:
                rows[place] = self._market.frozen(coin, query, faults.frozen[coin]) or row
            if coin in faults.price:
                rows[place]["current_price"] = faults.price[coin]
                rows[place]["last_updated"] = iso(self._book.stamp(now))
            if coin in faults.null_price:
                rows[place]["current_price"] = None
        return rows


def _currency(market: Market | Replay) -> str:
    currency = request.args.get("vs_currency")
    if currency is None:
        raise Refused({"error": "Missing parameter vs_currency"})
    if currency not in market.currencies:
        raise Refused({"error": "invalid vs_currency"})
    return currency


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not (isfinite(value) and 0 <= value < 1e11):
        raise Refused({"error": f"Invalid {name}"})
    return value


def _count(name: str, default: int, most: int) -> int:
    text = request.args.get(name, "")
    if not (text.isdecimal() and len(text) <= 9 and int(text) > 0):
        return default
    return min(int(text), most)


def _key() -> str:
    return f"{bare(request.path)}?{request.query_string.decode('latin-1')}"


def _has_key() -> bool:
    return any(request.headers.get(k) or request.args.get(k.replace("-", "_")) for k in _KEYS)


def _markets_query(market: Market | Replay, faults: CoinFaults) -> Query:
    args = request.args
    changes = args.get("price_change_percentage", "").split(",")
    return Query(
        currency=_currency(market),
        # Joined by a comma alone: after ", " an id begins with a space, and is nobody's.
        ids=tuple(args["ids"].split(",")) if args.get("ids") else None,
        per_page=_count("per_page", 100, 250),
        page=_count("page", 1, 10**9),
        order=args.get("order", "market_cap_desc"),
        changes=tuple(name for name in CHANGES if name in changes),
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
