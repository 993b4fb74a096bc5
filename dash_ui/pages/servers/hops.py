"""An update's way through the system, as the Servers page shows it: in words and as a bar."""

from collections.abc import Mapping
from datetime import datetime

from api_client.hops import durations, seconds


def words(reached: Mapping[str, datetime]) -> str:
    """Each hop with its time: "streamed 3 ms · received 12 ms · fetched 1.2 s"."""
    return " · ".join(f"{name} {seconds(took)}" for name, took in durations(reached))


def bar(reached: Mapping[str, datetime]) -> str:
    """The hops' shares of the whole time as a CSS background, one stripe a hop."""
    steps = durations(reached)
    whole = sum(took for _, took in steps)
    if not whole:
        return "none"
    stops, end = [], 0.0
    for name, took in steps:
        begin, end = end, end + took * 100 / whole
        stops.append(f"var(--koinx-hop-{name}) {begin:.2f}% {end:.2f}%")
    return f"linear-gradient(to right, {', '.join(stops)})"
