"""What the Coin page reads of the API for what its reader chose."""

from dataclasses import dataclass
from typing import Any

from api_client import coin_history
from api_client.client import Client, Coin
from api_client.coin_history import Request, Series, Statistics

OPTIONS = {
    "range": ("24h", "7d", "30d", "all"),
    "kind": ("line", "candles"),
    "scale": ("linear", "log"),
    "include": ("repaired", "recorded"),
    "statistics": ("recorded", "repaired"),
}
"""What may be chosen, in the page's address too; the first is the default."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The reader's choices, each one of OPTIONS."""

    span: str
    kind: str
    scale: str
    include: str
    statistics: str

    def shown(self, coin: str) -> str:
        """What a chart is of, for which a zoom may stay."""
        return "|".join((coin, self.span, self.kind, self.scale))

    def key(self, coin: Coin) -> list[str]:
        """What was read is up to date for as long as this stays the same."""
        return [
            coin.id,
            str(coin.as_of),
            str(coin.recorded_at),
            self.shown(coin.id),
            self.include,
            self.statistics,
        ]


@dataclass(frozen=True, slots=True)
class Reading:
    """Series and statistics of a coin, with the requests that they answer."""

    series: Series
    band: Statistics
    band_request: Request
    statistics: Statistics
    statistics_request: Request
    coin_request: Request


def chosen(query: dict[str, Any]) -> dict[str, str]:
    """A value for each of OPTIONS: what an address says, or the default where it says nonsense."""
    return {
        name: query[name] if query.get(name) in allowed else allowed[0]
        for name, allowed in OPTIONS.items()
    }


def read(client: Client, coin: str, choice: Choice) -> Reading:
    """Everything for a choice; an ApiError if a part of it cannot be read."""
    asked = coin_history.statistics_request(coin, choice.statistics)
    band_request = coin_history.statistics_request(coin, choice.include, choice.span)
    band = coin_history.statistics(client, band_request)
    step = coin_history.spacing(choice.span, band)
    series = coin_history.candles if choice.kind == "candles" else coin_history.line
    return Reading(
        series=series(client, coin, choice.span, choice.include, step),
        band=band,
        band_request=band_request,
        statistics=coin_history.statistics(client, asked),
        statistics_request=asked,
        coin_request=Request(coin_history.coin_path(coin)),
    )
