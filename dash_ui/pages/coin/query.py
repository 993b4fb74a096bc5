"""Reads the Coin page's data from the API, for the reader's choices."""

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
"""The choices, as the page's URL names them; the first of each is the default."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The reader's choices, each one of OPTIONS."""

    span: str
    kind: str
    scale: str
    include: str
    statistics: str

    def view(self, coin: str) -> str:
        """What the chart shows; a zoom is kept while this stays the same."""
        return "|".join((coin, self.span, self.kind, self.scale))

    def key(self, coin: Coin) -> list[str]:
        """What was read stays current while this stays the same."""
        times = (str(coin.as_of), str(coin.recorded_at))
        return [*times, self.view(coin.id), self.include, self.statistics]


@dataclass(frozen=True, slots=True)
class Reading:
    """A coin's series and statistics, with the requests that returned them."""

    series: Series
    band: Statistics
    band_request: Request
    statistics: Statistics
    statistics_request: Request


def chosen(parameters: dict[str, Any]) -> dict[str, str]:
    """A value for each of OPTIONS: the URL's, or the default if that is invalid."""
    return {
        name: parameters[name] if parameters.get(name) in allowed else allowed[0]
        for name, allowed in OPTIONS.items()
    }


def read(client: Client, coin: str, choice: Choice) -> Reading:
    """Everything for a choice; ApiError if any part of it cannot be read."""
    request = coin_history.statistics_request(coin, choice.statistics)
    band_request = coin_history.statistics_request(coin, choice.include, choice.span)
    band = coin_history.statistics(client, band_request)
    step = coin_history.spacing(choice.span, band)
    series = coin_history.candles if choice.kind == "candles" else coin_history.line
    return Reading(
        series=series(client, coin, choice.span, choice.include, step),
        band=band,
        band_request=band_request,
        statistics=coin_history.statistics(client, request),
        statistics_request=request,
    )
