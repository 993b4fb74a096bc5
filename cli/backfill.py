"""`./koinx backfill`: asks for history to be mended, and shows how far that is."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import requests

from api_client.client import Client
from cli.output import coloured, say, say_again

AT_ONCE = 250  # coins in one call
SECONDS = 10.0
LOOK_SECONDS = 1.0
WIDTH = 30


class Refused(Exception):
    """The API does not take the wish, or does not answer; the text says why."""


def backfill(
    url: str, key: str | None, coins: Sequence[str], start: str | None, end: str | None
) -> None:
    """Asks the API at `url` for a stretch of the coins' history and returns when all is mended.

    Without `coins` it is all that are collected. `start` and `end` are ISO-8601 with their zone.
    Ctrl-C ends the watching; the mending goes on. Raises Refused.
    """
    chosen = list(coins) or [coin.id for coin in Client(url, api_key=key).coins()]
    wish = {name: text for name, text in (("from", start), ("to", end)) if text}
    for first in range(0, len(chosen), AT_ONCE):
        part = chosen[first : first + AT_ONCE]
        told = _ask("POST", f"{url}/v1/repairs", key, {"coins": part, **wish})
        say(f"{told['repairs']} of {len(part)} coins, from {told['start']} to {told['end']}")
    for line in _progress(url, key):
        say_again(line)
    if coloured(sys.stdout):
        say()


def _progress(url: str, key: str | None) -> Iterator[str]:
    """A line each time that more has ended, until nothing is left."""
    shown: object = None
    while True:
        now = _ask("GET", f"{url}/v1/repairs/progress", key)
        ended = now["done"] + now["failed"]
        total = ended + now["waiting"] + now["running"]
        paused = f", paused since {now['paused_since']}" if now["paused_since"] else ""
        if (line := bar(ended, total, now["failed"]) + paused) != shown:
            shown = line
            yield line
        if ended == total:
            return
        time.sleep(LOOK_SECONDS)


def bar(ended: int, total: int, failed: int) -> str:
    """How far the repairs are, for a person.

    >>> bar(3, 4, 1)
    '######################········ 3 of 4 repairs, 1 failed: see /v1/repairs?state=failed'
    """
    done = WIDTH * ended // total if total else WIDTH
    text = f"{'#' * done}{'·' * (WIDTH - done)} {ended} of {total} repairs"
    return f"{text}, {failed} failed: see /v1/repairs?state=failed" if failed else text


def _ask(method: str, url: str, key: str | None, body: Any = None) -> Any:
    headers = {"X-API-Key": key} if key else {}
    try:
        with requests.Session() as session:
            # A proxy of the environment is for the world outside, not for our own API.
            session.trust_env = False
            answer = session.request(method, url, json=body, headers=headers, timeout=SECONDS)
        found = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise Refused(
            f"the API at {url} gives no usable answer ({type(error).__name__}): ./koinx status"
        ) from error
    if not answer.ok:
        raise Refused(str(found.get("message") or found))
    return found
