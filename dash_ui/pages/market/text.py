"""What the Market page says about coins and updates, in sentences."""

from collections import Counter
from collections.abc import Sequence

from api_client.client import Coin, Update
from dash_ui.components import format as fmt

MARKS = {"fresh": "● fresh", "late": "◐ late", "stale": "○ stale", "never": f"{fmt.DASH} never"}
SIMULATED = {
    "simulator": "Simulated market: these prices are made up.",
    "replay": "Simulated market: these prices are recorded ones, played again.",
    "simulator-2": "Simulated market: these prices are made up, from its second source.",
    "replay-2": "Simulated market: these prices are recorded ones, from its second source.",
}


def changed(update: Update | None) -> str:
    """What a refresh brought, by the update that it ended with."""
    if update is None or update.counts is None:
        return "refreshed"
    stored, left_out = update.counts.get("stored", 0), update.counts.get("left_out", 0)
    said = fmt.counted(stored, "new quote") if stored else "nothing changed"
    return f"{said}, {left_out} left out" if left_out else said


def last_update(update: Update | None) -> str:
    """The state of the newest update, in a sentence."""
    if update is None:
        return "No update yet."
    if update.state == "failed":
        reason = update.error or "no reason given"
        return f"Last update failed at {fmt.moment(update.finished_at)}: {reason}"
    if update.state == "missed":
        return f"The update due at {fmt.moment(update.slot)} was missed: nothing ran then."
    if update.state == "done":
        return f"Last update ended at {fmt.moment(update.finished_at)}: {changed(update)}."
    return f"An update is running, received at {fmt.moment(update.received_at)}."


def concern(known: Sequence[Coin], newest: float | None, update: Update | None) -> tuple[str, str]:
    """What keeps the numbers from being trusted, and what to do; two empty texts if nothing."""
    if not known:
        failed = f" {last_update(update)}" if update and update.state == "failed" else ""
        return (
            f"No quote is stored yet.{failed}",
            "Refresh now fetches the first ones; ./koinx logs worker says more.",
        )
    if all(coin.freshness == "stale" for coin in known):
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
    """How many coins there are, and how many of each freshness."""
    states = Counter(coin.freshness for coin in coins)
    said = {state: state for state in MARKS} | {"never": "without a quote"}
    each = ", ".join(f"{states[state]} {word}" for state, word in said.items() if states[state])
    return f"{fmt.counted(len(coins), 'coin')}: {each}"


def simulated(coins: Sequence[Coin]) -> str:
    """Which prices are not the real market's; empty if all are."""
    return " ".join(
        words for source, words in SIMULATED.items() if any(c.source == source for c in coins)
    )


def fate(coin: Coin) -> str:
    """What became of a coin, to stand behind its name; empty if it is still there."""
    if coin.state == "retired":
        return f", retired, now {coin.successor}" if coin.successor else ", retired"
    return ", missing at the source" if coin.state == "missing" else ""
