"""`./koinx backfill`: requests gap repairs, and shows their progress."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import requests

from api_client.client import Client
from cli.output import CommandError, coloured, print_line, reprint_line

COINS_PER_REQUEST = 250
TIMEOUT = 10.0
POLL_INTERVAL = 1.0
WIDTH = 30


def backfill(
    url: str, key: str | None, coins: Sequence[str], start: str | None, end: str | None
) -> None:
    """Requests repairs of the coins' history from the API at `url`; returns when all are done.

    Without `coins` it repairs all collected coins. `start` and `end` are ISO 8601 with a zone.
    Ctrl-C stops the display; the repairs go on. Raises CommandError.
    """
    chosen = list(coins) or [coin.id for coin in Client(url, api_key=key).coins()]
    period = {name: text for name, text in (("from", start), ("to", end)) if text}
    for first in range(0, len(chosen), COINS_PER_REQUEST):
        part = chosen[first : first + COINS_PER_REQUEST]
        answer = _request("POST", f"{url}/v1/repairs", key, {"coins": part, **period})
        print_line(
            f"{answer['repairs']} of {len(part)} coins, from {answer['start']} to {answer['end']}"
        )
    for line in _progress(url, key):
        reprint_line(line)
    if coloured(sys.stdout):
        print_line()


def _progress(url: str, key: str | None) -> Iterator[str]:
    """Yields a line each time that more repairs have ended, until none is left."""
    shown: object = None
    while True:
        now = _request("GET", f"{url}/v1/repairs/progress", key)
        ended = now["done"] + now["failed"]
        total = ended + now["waiting"] + now["running"]
        paused = f", paused since {now['paused_since']}" if now["paused_since"] else ""
        if (line := bar(ended, total, now["failed"]) + paused) != shown:
            shown = line
            yield line
        if ended == total:
            return
        time.sleep(POLL_INTERVAL)


def bar(ended: int, total: int, failed: int) -> str:
    """Draws the progress of the repairs.

    >>> bar(3, 4, 1)
    '######################········ 3 of 4 repairs, 1 failed: see /v1/repairs?state=failed'
    """
    done = WIDTH * ended // total if total else WIDTH
    text = f"{'#' * done}{'·' * (WIDTH - done)} {ended} of {total} repairs"
    return f"{text}, {failed} failed: see /v1/repairs?state=failed" if failed else text


def _request(method: str, url: str, key: str | None, body: Any = None) -> Any:
    headers = {"X-API-Key": key} if key else {}
    try:
        with requests.Session() as session:
            # A proxy of the environment is for the internet, not for our own API.
            session.trust_env = False
            answer = session.request(method, url, json=body, headers=headers, timeout=TIMEOUT)
        found = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise CommandError(
            f"the API at {url} gave no usable answer ({type(error).__name__}): see ./koinx status"
        ) from error
    if not answer.ok:
        raise CommandError(str(found.get("message") or found))
    return found
