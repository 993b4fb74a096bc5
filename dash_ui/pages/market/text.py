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
        return f"The update due at {fmt.moment(update.slot)} did not run."
    if update.state == "done":
        return f"Last update at {fmt.moment(update.finished_at)}: {fmt.update_result(update)}."
    return f"Update running since {fmt.moment(update.received_at)}."


def concern(coins: Sequence[Coin], newest: float | None, update: Update | None) -> tuple[str, str]:
    """Why the numbers cannot be trusted, and what to do; two empty texts if they can."""
    if not coins:
        failed = f" {last_update(update)}" if update and update.state == "failed" else ""
        return (
            f"No quotes stored yet.{failed}",
            "Press Refresh now to fetch the first ones, or see ./koinx logs worker.",
        )
    if all(coin.freshness == "stale" for coin in coins):
        return (
            f"All prices are stale: the newest is {fmt.age(newest)} old.",
            "Press Refresh now, and check with ./koinx status that worker and beat run.",
        )
    if update and update.state == "failed":
        return (
            f"The last update failed: {update.error or 'no reason given'}",
            "The next scheduled update tries again; press Refresh now to retry at once.",
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
        return f", replaced by {coin.successor}" if coin.successor else ", retired"
    return ", no longer listed by the source" if coin.state == "missing" else ""
