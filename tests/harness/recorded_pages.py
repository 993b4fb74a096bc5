"""Recorded pages of /coins/markets, rewritten for a test."""

from pathlib import Path

import requests

from bench.harness.services import SimulatorControl
from simulator.app import create_simulator
from simulator.market import Market
from simulator.server import serving

PAGES = 12


QUARTER = 15 * 60 * 1000


FROZEN = ("bitcoin", "dogecoin", "pepe")


def write_pages(folder: Path) -> None:
    """Twelve of the simulator's pages as files; some rows stand still for half of them."""
    now = [1_765_680_000_000]
    with serving(create_simulator(Market(seed=7), clock=lambda: now[0])) as url:
        control = SimulatorControl(url)
        for number in range(PAGES):
            if number == 3:
                for coin in FROZEN:
                    control.fault("frozen", coin=coin)
            if number == 9:
                control.clear()
            page = requests.get(f"{url}/coins/markets?vs_currency=usd", timeout=10)
            stamp = f"2025-12-14T{number:06d}Z"
            (folder / f"markets_usd_page1_{stamp}_run.json").write_bytes(page.content)
            now[0] += QUARTER
