"""Which stored series answers for a coin's id."""

import difflib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from flask import request
from flask_smorest import abort

from api.cache.response_cache import SUPERSEDED
from api.errors import refuse
from api.extensions import Services
from api.lookup.retention_guard import check_as_of
from api.pagination import Cursor
from market.model.quotes import MAX_ID_LENGTH, SUCCESSORS
from market.storage.quote_history import Record

LISTED = 20
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def answering(services: Services, coin: str, as_of: datetime | None = None) -> str:
    """The id whose stored quotes answer for a coin; refuses with a 404 one that is not collected,
    and with a 410 an `as_of` of which nothing can be told any more.

    A retired id goes on with its successor's, once those are newer; with `as_of`, once they were.
    """
    series = (coin, SUCCESSORS[coin]) if coin in SUCCESSORS else (coin,)
    check_as_of(services, series, as_of)
    if coin in SUCCESSORS and (
        found := _newest_of(services, series, as_of) or _newest_of(services, series, None)
    ):
        return found
    # What is stored is collected; the list of all that is takes ten times as long to read.
    if not services.store.newest(coin, 1) and coin not in collected(services):
        refuse(404, f"{coin!r} is not collected; /v1/coins lists what is")
    return coin


def continued(
    services: Services, coin: str, cursor: Cursor | None, as_of: datetime | None = None
) -> str:
    """The id whose stored quotes answer, as `answering`; all pages of a list are of one series.

    Refuses with a 422 a cursor that was given out for another coin.
    """
    answers = answering(services, coin, as_of)
    if cursor is None:
        return answers
    if cursor.coin not in (coin, SUCCESSORS.get(coin)):
        abort(422, errors={"query": {"cursor": [f"It is of {cursor.coin!r}, not of {coin!r}."]}})
    return cursor.coin


def _newest_of(services: Services, coins: tuple[str, ...], as_of: datetime | None) -> str | None:
    """The coin whose newest record is the newest of all; of two as new, the first."""
    read = services.history.records
    found = {coin: read(coin, limit=1, as_of=as_of) for coin in coins}
    for coin, records in found.items():
        saw(services, coin, records)
    newest = [record for records in found.values() for record in records]
    return max(newest, key=lambda record: record.at).coin if newest else None


def collected(services: Services) -> set[str]:
    """The ids of all coins that are asked for by id, or have been stored."""
    return {*services.settings.selection.ids, *services.store.latest().coins}


def asked_records(
    services: Services, limit: int, *, repaired: bool = False, as_of: datetime | None = None
) -> list[Record]:
    """The records of the coin in the query, newest first, for the seed's endpoints.

    Answers 400 without a coin or with one that is not collected, 404 with nothing stored yet, or
    nothing that was known by `as_of`, 410 if that can't be told any more.
    """
    coin = request.args.get("coin", "")
    if not coin:
        refuse(400, "Coin parameter is required")
    series = (coin, SUCCESSORS[coin]) if coin in SUCCESSORS else (coin,)
    check_as_of(services, series, as_of)
    read = services.history.records
    found = [
        read(one, limit=limit, repaired=repaired, as_of=as_of)
        for one in series
        if len(one) <= MAX_ID_LENGTH
    ]
    records = max(found, key=lambda one: one[0].at if one else LONG_AGO, default=[])
    if not records:
        known = collected(services)
        if coin in known:
            refuse(404, f"No data found for {coin}")
        refuse(400, f"Unsupported coin. Must be one of: {_choice(coin, known)}")
    # Of all that were read: which of them answers depends on each.
    for one, of_one in zip(series, found, strict=True):
        saw(services, one, of_one)
    return records


def saw(services: Services, coin: str, newest_first: Sequence[Record]) -> None:
    """Has the snapshot drop what is older than a coin's records; ask before they are shown."""
    newest = next((one for one in newest_first if one.resolution is None), None)
    if newest is None:
        saw_latest(services, {coin: LONG_AGO}, LONG_AGO)
    else:
        saw_latest(services, {coin: newest.at}, newest.recorded_at)


def saw_latest(services: Services, found: Mapping[str, datetime], recorded_at: datetime) -> None:
    """The same for the time of each coin's newest quote, and when the last of them was recorded."""
    if not services.response_cache.saw(found, recorded_at):
        request.environ[SUPERSEDED] = True


def _choice(coin: str, known: set[str]) -> str:
    if len(known) <= LISTED:
        return ", ".join(sorted(known))
    nearest = difflib.get_close_matches(coin[:MAX_ID_LENGTH], sorted(known), n=5, cutoff=0.4)
    shown = nearest or sorted(known)[:5]
    return f"{', '.join(shown)}, … ({len(known)} coins in all, at /v1/coins)"
