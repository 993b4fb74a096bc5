"""Runs a server that simulates CoinGecko's API v3 and CoinPaprika's v1, for demos, tests and load.

    python -m simulator --port 8899

It generates prices or replays a folder of recorded pages, and returns scripted faults on request.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

import logs
from logs.redaction import plain
from simulator.app import create_simulator, now_ms
from simulator.faults import FaultRegistry, read_faults
from simulator.market import Market
from simulator.replay import Replay
from simulator.server import serving


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 chooses a free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same market")
    parser.add_argument("--coins", type=int, default=300)
    parser.add_argument(
        "--cadence", type=float, default=1.0, help="seconds between two prices of a coin"
    )
    parser.add_argument(
        "--replay", type=Path, metavar="FOLDER", help="replay the recorded pages in this folder"
    )
    parser.add_argument("--pattern", default="*markets*.json", metavar="GLOB")
    parser.add_argument(
        "--faults", type=Path, metavar="FILE", help="a JSON list of faults to start with"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns 0, or 2 after it printed what is wrong."""
    options = _options(argv)
    logs.set_up("market")
    stop = Event()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        market: Market | Replay
        if options.replay:
            market = Replay(options.replay, options.pattern)
        else:
            market = Market(options.seed, options.coins, options.cadence)
        faults = read_faults(options.faults.read_bytes()) if options.faults else []
        registry = FaultRegistry(faults, now_ms())
        app = create_simulator(market, registry, key=os.environ.get("API_KEY") or None)
        with serving(app, options.host, options.port) as url:
            with suppress(OSError):  # a full disk under the log is no reason to stop
                print(f"simulator listens on {url}", flush=True)
            stop.wait()
    except (OSError, ValueError) as error:
        print(f"simulator: {plain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
