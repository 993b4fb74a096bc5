"""Resolves a coin's id to the stored series that answers for it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NoReturn

from flask import request
from flask_smorest import abort

from api.cache.response_cache import SUPERSEDED
from api.errors import refuse
from api.extensions import Services
from api.lookup.retention_guard import check_as_of
from api.pagination import Cursor
from market.model.quotes import SUCCESSORS
from market.storage.quote_history import Record

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def series_of(coin: str) -> tuple[str, ...]:
    """Returns the id, followed by its successor's where the source retired it."""
    return (coin, SUCCESSORS[coin]) if coin in SUCCESSORS else (coin,)


def resolve_coin(services: Services, coin: str, as_of: datetime | None = None) -> str:
    """Returns the id whose stored quotes answer for a coin.

    A retired id goes on with its successor's quotes once those are newer; with `as_of`, once they
    were. Refuses with a 404 a coin that is not collected, and with a 410 an `as_of` of which
    nothing is known any more.
    """
    series = series_of(coin)
    check_as_of(services, series, as_of)
    if len(series) > 1 and (
        found := _newest_of(services, series, as_of) or _newest_of(services, series, None)
    ):
        return found
    # A stored coin is collected; reading the list of all coins takes ten times as long.
    if not services.store.newest(coin, 1) and coin not in collected_ids(services):
        refuse_unknown(coin)
    return coin


def refuse_unknown(coin: str) -> NoReturn:
    """Ends the request with a 404."""
    refuse(404, f"{coin!r} is not collected; see /v1/coins for all coins")


def resolve_page(
    services: Services, coin: str, cursor: Cursor | None, as_of: datetime | None = None
) -> str:
    """Returns the id as `resolve_coin` does; all pages of a list are of one series.

    Refuses with a 422 a cursor that belongs to another coin.
    """
    resolved = resolve_coin(services, coin, as_of)
    if cursor is None:
        return resolved
    if cursor.coin not in series_of(coin):
        message = f"The cursor belongs to {cursor.coin!r}, not to {coin!r}."
        abort(422, errors={"query": {"cursor": [message]}})
    return cursor.coin


def _newest_of(services: Services, coins: tuple[str, ...], as_of: datetime | None) -> str | None:
    """Returns the coin with the newest record; of two as new, the first."""
    read = services.history.records
    found = {coin: read(coin, limit=1, as_of=as_of) for coin in coins}
    for coin, records in found.items():
        note_records(services, coin, records)
    newest = [record for records in found.values() for record in records]
    return max(newest, key=lambda record: record.at).coin if newest else None


def collected_ids(services: Services) -> set[str]:
    """Returns the ids of all coins that COINS names or that have been stored."""
    return {*services.settings.selection.ids, *services.store.latest().coins}


def note_records(services: Services, coin: str, newest_first: Sequence[Record]) -> None:
    """Notes in the response cache how new a coin's records are; call it before they are shown."""
    newest = next((one for one in newest_first if one.resolution is None), None)
    if newest is None:
        note_newest(services, {coin: LONG_AGO}, LONG_AGO)
    else:
        note_newest(services, {coin: newest.at}, newest.recorded_at)


def note_newest(services: Services, found: Mapping[str, datetime], recorded_at: datetime) -> None:
    """Notes the time of each coin's newest quote, and when the last of them was recorded."""
    if not services.response_cache.note_newest(found, recorded_at):
        request.environ[SUPERSEDED] = True
