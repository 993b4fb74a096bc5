"""Which stored series answers for a coin's id."""

import difflib

from flask import request

from api.errors import refuse
from api.services import Services
from market.quotes import MAX_ID_LENGTH, SUCCESSORS
from market.store import Document

LISTED = 20


def newest_quotes(services: Services, coin: str, limit: int) -> list[Document]:
    """A coin's newest quotes; a retired id goes on with its successor's, once those are newer."""
    own = services.store.newest(coin, limit)
    successor = SUCCESSORS.get(coin)
    if successor is None:
        return own
    other = services.store.newest(successor, limit)
    if other and (not own or other[0]["_id"]["at"] > own[0]["_id"]["at"]):
        return other
    return own


def answering(services: Services, coin: str) -> str:
    """The id whose stored quotes answer for a coin; refuses with a 404 one that is not collected.

    A retired id goes on with its successor's, once those are newer.
    """
    if coin in SUCCESSORS and (quotes := newest_quotes(services, coin, 1)):
        return str(quotes[0]["_id"]["coin"])
    if coin not in collected(services):
        refuse(404, f"{coin!r} is not collected; /v1/coins lists what is")
    return coin


def collected(services: Services) -> set[str]:
    """The ids of all coins that are asked for by id, or have been stored."""
    return {*services.settings.selection.ids, *services.store.latest().coins}


def asked_quotes(services: Services, limit: int) -> list[Document]:
    """The quotes of the coin in the query, newest first, for the seed's endpoints.

    Answers 400 without a coin or with one that is not collected, 404 with nothing stored yet.
    """
    coin = request.args.get("coin", "")
    if not coin:
        refuse(400, "Coin parameter is required")
    quotes = newest_quotes(services, coin, limit) if len(coin) <= MAX_ID_LENGTH else []
    if not quotes:
        known = collected(services)
        if coin in known:
            refuse(404, f"No data found for {coin}")
        refuse(400, f"Unsupported coin. Must be one of: {_choice(coin, known)}")
    return quotes


def _choice(coin: str, known: set[str]) -> str:
    if len(known) <= LISTED:
        return ", ".join(sorted(known))
    nearest = difflib.get_close_matches(coin[:MAX_ID_LENGTH], sorted(known), n=5, cutoff=0.4)
    shown = nearest or sorted(known)[:5]
    return f"{', '.join(shown)}, … ({len(known)} coins in all, at /v1/coins)"
