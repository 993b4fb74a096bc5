"""`./koinx trace`: shows the path of one update, step by step, and where it stopped."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests

from api_client.client import ApiError, Client
from api_client.updates import HOPS, durations, seconds, total
from cli.output import paint, print_line

NEWEST = "latest"
WIDTH = 30
EIGHTHS = " ▏▎▍▌▋▊▉█"
MEANING = {
    "published": "sent to NATS",
    "streamed": "NATS stored it on disk",
    "received": "an API process recorded it in the ledger",
    "started": "a worker took its task",
    "claimed": "the worker holds its lease",
    "fetched": "the calls to the source ended",
    "stored": "its quotes are in MongoDB",
    "merged": "each coin's newest quote is known",
    "finished": "it is closed",
}
COLOURS = {"done": "green", "failed": "red", "missed": "red"}


def trace(client: Client, update_id: str, *, as_json: bool) -> int:
    """Shows an update's path; returns 1 if the update failed or was missed."""
    update = read(client, update_id)
    if as_json:
        print_line(json.dumps(update, indent=2))
    else:
        for line in lines(update):
            print_line(line)
    return 1 if update["state"] in ("failed", "missed") else 0


def read(client: Client, update_id: str) -> dict[str, Any]:
    """Reads an update (`latest`: the newest) from the API; raises ApiError if there is none."""
    path = f"/v1/updates/{quote(update_id, safe='')}"
    found: dict[str, Any] = client.read(path, dict, also=(requests.codes.not_found,))
    if "hops" in found:
        return found
    what = "no update yet" if update_id == NEWEST else f"no update {update_id}"
    raise ApiError(
        f"The ledger has {what}.",
        "./koinx selftest sends one; /v1/updates lists those that arrived.",
    )


def lines(update: Mapping[str, Any]) -> Iterator[str]:
    """Formats an update: each step with its time, and its share of the whole time as a bar."""
    reached = {name: datetime.fromisoformat(at) for name, at in update["hops"].items()}
    state = paint(update["state"], COLOURS.get(update["state"], "yellow"))
    took = total(reached)
    whole = f", {seconds(took)}" if took is not None and update["finished_at"] else ""
    yield f"{update['id']}  {update['trigger']}  {state}{whole}"
    yield from _hops(reached)
    if counts := update["counts"]:
        yield "quotes     " + ", ".join(f"{number} {what}" for what, number in counts.items())
    if update["stopped_before"]:
        yield _stop(update)
    elif update["error"]:
        yield f"partly     {update['error']}"


def _hops(reached: Mapping[str, datetime]) -> Iterator[str]:
    first = next((name for name in HOPS if name in reached), None)
    if first is None:
        return
    steps = durations(reached)
    whole, begin = total(reached) or 0, 0.0
    yield f"{first:<10} {reached[first]:%H:%M:%S.%f}"[:-3] + f" {'':<{WIDTH}}  {MEANING[first]}"
    for name, took in steps:
        drawn = bar(begin, took, whole)
        begin += took
        yield f"{name:<10} {'+ ' + seconds(took):>12} {paint(drawn, 'cyan')}  {MEANING[name]}"


def bar(begin: float, took: float, whole: float) -> str:
    """Draws a step's place and share of the whole time, in `WIDTH` characters.

    >>> bar(1, 2, 4)
    '       ▌██████████████▌       '
    """
    if not whole:
        return " " * WIDTH
    start, length = WIDTH * begin / whole, WIDTH * took / whole
    text = ""
    for place in range(WIDTH):
        share = min(start + length, place + 1) - max(start, place)
        text += EIGHTHS[max(0, min(8, round(share * 8)))]
    return text if text.strip() or not took else _mark(int(start))


def _mark(place: int) -> str:
    """Draws the shortest bar."""
    return (" " * min(place, WIDTH - 1) + EIGHTHS[1]).ljust(WIDTH)


def _stop(update: Mapping[str, Any]) -> str:
    hop, state = update["stopped_before"], update["state"]
    if state in ("failed", "missed"):
        return paint(f"{state} before {hop}: {update['error'] or 'no reason given'}", "red")
    if update["stage"] == "postponed":
        return paint(
            f"postponed until {update['not_before']}, before {hop}: {update['error']}", "yellow"
        )
    after = f"; last attempt: {update['error']}" if update["error"] else ""
    cure = " (no worker took it: see ./koinx status)" if hop == "started" else ""
    return paint(f"in progress, not {hop} yet{cure}{after}", "yellow")
