"""The Market page's sentences about coins and updates."""

from collections import Counter
from collections.abc import Sequence

from api_client.client import Coin, Update
from dash_ui.components import format as fmt


def last_update(update: Update | None) -> str:
    """The state of the newest update."""
    if update is None:
        return "No update yet."
    if update.state == "failed":
        reason = update.error or "no reason given"
        return f"Last update failed at {fmt.moment(update.finished_at)}: {reason}"
    if update.state == "missed":
        return f"The update due at {fmt.moment(update.slot)} was missed: nothing ran then."
    if update.state == "done":
        return (
            f"Last update ended at {fmt.moment(update.finished_at)}: {fmt.update_result(update)}."
        )
    return f"An update is running, received at {fmt.moment(update.received_at)}."


def concern(coins: Sequence[Coin], newest: float | None, update: Update | None) -> tuple[str, str]:
    """Why the numbers cannot be trusted, and what to do; two empty texts if they can."""
    if not coins:
        failed = f" {last_update(update)}" if update and update.state == "failed" else ""
        return (
            f"No quote is stored yet.{failed}",
            "Refresh now fetches the first ones; ./koinx logs worker says more.",
        )
    if all(coin.freshness == "stale" for coin in coins):
        return (
            f"All data is stale: the newest is {fmt.age(newest)} old.",
            "Refresh now, and see that worker and beat run: ./koinx status.",
        )
    if update and update.state == "failed":
        return (
            f"The last update failed: {update.error or 'no reason given'}",
            "The next one comes with the schedule; Refresh now tries again at once.",
        )
    return "", ""


def count(coins: Sequence[Coin]) -> str:
    """The number of coins, and how many of each freshness."""
    states = Counter(coin.freshness for coin in coins)
    labels = {state: state for state in fmt.FRESHNESS} | {"never": "without a quote"}
    counts = [f"{states[state]} {label}" for state, label in labels.items() if states[state]]
    return f"{fmt.counted(len(coins), 'coin')}: {', '.join(counts)}"


def fate(coin: Coin) -> str:
    """What happened to a coin, to follow its name; empty if it is still active."""
    if coin.state == "retired":
        return f", retired, now {coin.successor}" if coin.successor else ", retired"
    return ", missing at the source" if coin.state == "missing" else ""
