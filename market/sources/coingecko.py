"""The CoinGecko client: the one seam to the outside."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from market.sources.http import Deadline, HttpSource, SourceError, brief

MAX_PER_PAGE = 250
MAX_BYTES = 5_000_000  # a page of 250 coins has about 260 kB
KEY_HEADERS = {"demo": "x-cg-demo-api-key", "pro": "x-cg-pro-api-key"}


class CoinGecko:
    """Calls CoinGecko's API v3 at `url`; one for a process, shared by its threads.

    `key` and `plan` (demo or pro) go together, as a header: never in the query, where they
    would end in logs. `take` is called before each call: it waits for its turn within the
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
            see="COINGECKO_API_KEY and COINGECKO_PLAN",
            take=take,
        )

    def close(self) -> None:
        """Closes the kept connections."""
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
        """One page of `/coins/markets`: its rows as they came, in whatever order.

        By `ids` (250 at most), or the `page`-th `per_page` coins by market cap. Tries again with
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
        rows = self._http.get("/coins/markets", query, deadline)
        if not isinstance(rows, list):
            raise SourceError(f"{self._http.host} answered no list of coins: {brief(rows)}")
        if len(rows) > MAX_PER_PAGE:
            raise SourceError(
                f"{self._http.host} answered {len(rows)} coins, a page has at most {MAX_PER_PAGE}"
            )
        return rows

    def chart(self, coin: str, currency: str, *, days: int, deadline: Deadline) -> Any:
        """The reply of `/coins/{id}/market_chart` over the last `days`, as it came.

        Up to 1 day has a point every 5 minutes, up to 90 hourly, more daily. Raises SourceError.
        """
        query = {"vs_currency": currency, "days": str(days)}
        path = f"/coins/{quote(coin, safe='')}/market_chart"
        return self._http.get(path, query, deadline)
