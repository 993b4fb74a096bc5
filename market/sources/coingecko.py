"""The CoinGecko client: pages of coins with their prices, and charts of one coin's history."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any
from urllib.parse import quote

from market.model.quotes import CLOCK_SKEW, GENESIS, finite
from market.sources.http import Deadline, HttpSource, SourceError

MAX_PER_PAGE = 250
MAX_BYTES = 5_000_000  # a page of 250 coins has about 260 kB
KEY_HEADERS = {"demo": "x-cg-demo-api-key", "pro": "x-cg-pro-api-key"}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STEPS = (timedelta(minutes=5), HOUR, DAY)
MAX_CHART_DAYS = 365


class CoinGecko:
    """Calls CoinGecko's API v3 at `url`; one for a process, shared by its threads.

    `key` and `plan` (demo or pro) go together, as a header: never in the query, where they
    would end up in logs. `take` is called before each call: it waits for its turn within the
    deadline, or raises SourceError.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        plan: str | None = None,
        take: Callable[[Deadline], None] = lambda _: None,
    ) -> None:
        self._http = HttpSource(
            url,
            max_bytes=MAX_BYTES,
            headers={KEY_HEADERS[plan]: key} if key and plan else {},
            settings="COINGECKO_API_KEY and COINGECKO_PLAN",
            take=take,
        )

    def close(self) -> None:
        """Closes the open connections."""
        self._http.close()

    def markets(
        self,
        currency: str,
        *,
        deadline: Deadline,
        ids: Sequence[str] = (),
        page: int = 1,
        per_page: int = MAX_PER_PAGE,
    ) -> list[Any]:
        """Returns one page of `/coins/markets`: its rows as they came, in any order.

        By `ids` (250 at most), or the `page`-th `per_page` coins by market cap. Retries with
        jittered pauses while the deadline allows. Raises SourceError.
        """
        query = {
            "vs_currency": currency,
            "order": "market_cap_desc",
            "per_page": str(per_page),
            "page": str(page),
            "sparkline": "false",
        }
        if ids:
            query["ids"] = ",".join(ids)  # with ", " only the first id is answered
        rows = self._http.get_list("/coins/markets", query, deadline)
        if len(rows) > MAX_PER_PAGE:
            raise SourceError(
                f"{self._http.host} returned {len(rows)} coins; a page has at most {MAX_PER_PAGE}"
            )
        return rows

    def chart(self, coin: str, currency: str, *, days: int, deadline: Deadline) -> Any:
        """Returns the reply of `/coins/{id}/market_chart` over the last `days`, as it came.

        Up to 1 day has a point every 5 minutes, up to 90 hourly, more daily. Raises SourceError.
        """
        query = {"vs_currency": currency, "days": str(days)}
        return self._http.get(f"/coins/{quote(coin, safe='')}/market_chart", query, deadline)


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a coin's history, in the chart's currency."""

    at: datetime
    price: float
    market_cap: float | None
    volume_24h: float | None


def days_back(oldest: datetime, now: datetime) -> int:
    """Returns the `days` of the finest chart that reaches back to a time.

    Up to 1 day has a point every 5 minutes, up to 90 days hourly, beyond daily; without a paid
    plan nothing is older than 365 days.
    """
    return min(MAX_CHART_DAYS, max(1, -((oldest - now) // DAY)))


def parse_chart(reply: Any, now: datetime) -> list[Point]:
    """Returns the points of a `/coins/{id}/market_chart` reply, oldest first, each time once.

    A point whose price is null or no finite number is skipped. Times are jittered, and the last
    point, the current price, may lie before its neighbour: so they are sorted, and of two points
    with the same time the first is kept. Raises ValueError for a reply that is no chart.
    """
    prices = reply.get("prices") if isinstance(reply, Mapping) else None
    if not isinstance(prices, list):
        raise ValueError("the reply has no list of prices")  # noqa: TRY004 - it came from outside
    caps, volumes = (_by_time(reply.get(name)) for name in ("market_caps", "total_volumes"))
    points: dict[datetime, Point] = {}
    for time, price in map(_pair, prices):
        at = _moment(time, now)
        if at is None or price is None or price < 0 or at in points:
            continue
        # The source reports a market cap of 0 for a coin whose supply it does not know.
        market_cap = _positive(caps.get(time)) or None
        points[at] = Point(at, price, market_cap, _positive(volumes.get(time)))
    return [points[at] for at in sorted(points)]


def step_of(points: list[Point]) -> timedelta:
    """Returns a chart's step, 5 minutes, an hour or a day, by the median distance of its points.

    Fewer than three points tell nothing: they count as daily, the coarsest.
    """
    if len(points) < 3:
        return DAY
    middle = median((later.at - one.at).total_seconds() for one, later in pairwise(points))
    return min(STEPS, key=lambda step: abs(step.total_seconds() - middle))


def _by_time(pairs: Any) -> dict[float | None, float | None]:
    return dict(map(_pair, pairs)) if isinstance(pairs, list) else {}


def _pair(pair: Any) -> tuple[float | None, float | None]:
    if not isinstance(pair, list) or len(pair) != 2:
        return None, None
    return finite(pair[0]), finite(pair[1])


def _moment(milliseconds: float | None, now: datetime) -> datetime | None:
    """Returns UTC to the millisecond; None for what cannot be a price's time."""
    if milliseconds is None or not 0 < milliseconds < 1e14:
        return None
    at = datetime.fromtimestamp(milliseconds // 1000, UTC)
    at += timedelta(milliseconds=int(milliseconds % 1000))
    return at if GENESIS <= at <= now + CLOCK_SKEW else None


def _positive(number: float | None) -> float | None:
    return number if number is not None and number >= 0 else None
