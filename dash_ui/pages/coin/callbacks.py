"""What the Coin page answers to a tick or a choice: read anew only if something may be new."""

from datetime import UTC, datetime
from typing import Any

from api_client.client import ApiError, Client, UnknownCoin
from api_client.coin_history import Request, coin_path
from dash_ui.pages.coin import outputs, query
from dash_ui.pages.coin.query import Choice

SURE_SECONDS = 30
"""What is repaired meanwhile shows after so long; a new quote shows at once."""

Answer = dict[str, Any]


class Answers:
    """The answers of one API, whose prices are in `currency`."""

    def __init__(self, client: Client, currency: str) -> None:
        self._client = client
        self._currency = currency

    def to(self, coin: str, choice: Choice, read_at: str | None, seen: Answer | None) -> Answer:
        """A value for each output; `coin` is empty for the first by rank, `seen` is what the
        answer before left to remember. An API that gives no data is told, not raised."""
        now = datetime.now(UTC)
        try:
            # A given id stays: a late answer must not turn the next coin's page into this one's.
            if coin:
                return self._of(coin, choice, now, seen)
            first = self._first()
            return self._of(first, choice, now, seen) | {"id": first}
        except UnknownCoin as error:
            return outputs.unknown(error, now)
        except ApiError as error:
            return outputs.outage(error, now, read_at)

    def _of(self, id: str, choice: Choice, now: datetime, seen: Answer | None) -> Answer:
        client, currency = self._client, self._currency
        coin = client.coin(id)
        curl = Request(coin_path(id)).curl(client.api_url)
        if coin.freshness == "never" or coin.state == "retired":
            return outputs.without_data(coin, now, currency=currency, curl=curl)
        if seen and seen["key"] == choice.key(coin) and _age(seen["at"], now) < SURE_SECONDS:
            return outputs.lasting(coin, now, seen, currency=currency, curl=curl)
        found = query.read(client, id, choice)
        return outputs.shown(coin, found, choice, now, currency=currency, api_url=client.api_url)

    def _first(self) -> str:
        coins = self._client.coins()
        if not coins:
            raise UnknownCoin(
                "No coin is collected yet.", "Refresh now, on Market, fetches the first."
            )
        return coins[0].id


def _age(at: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(at)).total_seconds()
