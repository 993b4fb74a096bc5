"""Milliseconds from an event on NATS to its price at /stats: `python -m bench.event_to_readable`.

Starts a demo system of its own with 250 coins, and prints milliseconds over 30 events, with the
ledger's own times of the hops.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path

import nats
import requests

from tests.support import SimulatorControl
from tests.system import System, running

HOPS = ("published", "streamed", "received", "started", "claimed", "fetched", "stored", "merged")


async def measure(system: System, rounds: int) -> list[float]:
    """Milliseconds from publishing to reading the new price, for each round."""
    states = system.status()
    simulator = SimulatorControl(states["market"]["url"])
    client = await nats.connect(states["nats"]["url"])
    found = []
    with requests.Session() as session:
        for number in range(rounds):
            price = 70_000 + number  # less than 50 % from the simulator's: such is never held
            simulator.fault("price", coin="bitcoin", value=price)
            await asyncio.sleep(0.2)
            begun = time.perf_counter()
            await client.publish("crypto.update", b'{"trigger":"update"}')
            await client.flush()
            while session.get(f"{system.api}/stats?coin=bitcoin").json()["price"] != price:
                pass
            found.append((time.perf_counter() - begun) * 1e3)
    await client.close()
    return found


def hops(system: System, rounds: int) -> dict[str, float]:
    """The median milliseconds of each hop, as the ledger has them."""
    updates = system.get(f"/v1/updates?page_size={rounds}").json()
    times = [
        [datetime.fromisoformat(update["hops"][hop]).timestamp() * 1e3 for hop in HOPS[1:]]
        for update in updates
        if update["trigger"] == "event" and update["state"] == "done"
    ]
    return {
        hop: statistics.median(one[i + 1] - one[i] for one in times)
        for i, hop in enumerate(HOPS[2:])
    }


def main() -> None:
    """Measures, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coins", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as home,
        running(
            Path(home),
            "--demo",
            COINS=f"top:{options.coins}",
            SIMULATOR_COINS=str(options.coins + 50),
        ) as system,
    ):
        asyncio.run(measure(system, 5))  # warm: connections, caches
        found = sorted(asyncio.run(measure(system, options.rounds)))
        print(
            f"{options.coins} coins, {options.rounds} events, ms: "
            f"min {found[0]:.1f}, median {statistics.median(found):.1f}, max {found[-1]:.1f}"
        )
        for hop, spent in hops(system, options.rounds).items():
            print(f"  until {hop:<9} {spent:6.1f}")


if __name__ == "__main__":
    main()
