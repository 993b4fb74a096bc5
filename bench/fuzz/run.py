"""Hostile input to a demo system of its own: `python -m bench.fuzz http|events|source`."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import nats
from pymongo import MongoClient
from pymongo.database import Database

from bench.fuzz import events as hostile_events
from bench.fuzz import http as hostile_http
from bench.fuzz import source as hostile_source
from bench.harness.services import wait_until
from bench.harness.system import System, running

Document = dict[str, Any]
NEVER = "0 0 1 1 *"  # no slot begins while it runs


def http(system: System, options: argparse.Namespace) -> list[str]:
    """One request in five as raw bytes, the others by schemathesis."""
    raw = hostile_http.send_raw(system.api, options.requests // 5, options.seed)
    print(f"raw: {raw.requests} requests, {dict(raw.statuses)}")
    faults, made = raw.faults, raw.requests
    seed = options.seed
    while made < options.requests and not faults:
        fuzzed = hostile_http.fuzz(system.api, 400, seed)
        print(f"schemathesis, seed {seed}: {fuzzed.requests}, {dict(fuzzed.statuses)}", flush=True)
        faults, made, seed = fuzzed.faults, made + fuzzed.requests, seed + 1
        if not fuzzed.requests:
            return [*faults, "schemathesis sent nothing"]
    print(f"{made} requests")
    return faults + tracebacks(system, "api")


def events(system: System, options: argparse.Namespace) -> list[str]:
    """Malformed messages, then a good one."""
    result = hostile_events.strike(system, options.messages, options.seed)
    print(result)
    return event_faults(result) + tracebacks(system, "api", "worker")


def event_faults(result: hostile_events.Result) -> list[str]:
    """What must not be so after malformed messages."""
    bad = {
        f"{result.set_aside} of {result.sent} were set aside": result.set_aside != result.sent,
        f"the next good one took {result.good_seconds:.2f} s": result.good_seconds >= 1,
        f"{result.new_updates} updates came of one event": result.new_updates != 1,
        f"ended: {result.lost_processes}": bool(result.lost_processes),
    }
    return [fault for fault, is_so in bad.items() if is_so]


def source(system: System, options: argparse.Namespace) -> list[str]:
    """Hostile answers, each to an update that the worker carries out."""
    simulator = system.market()
    before = {one.pid for one in system.processes()}
    client: MongoClient[Document] = MongoClient(
        system.server("mongodb"), directConnection=True, tz_aware=True
    )
    with client:
        database = client["koinx_demo_usd"]

        def carry(name: str) -> Document:
            asyncio.run(_ask(system.server("nats"), name))
            return wait_until(lambda: _ended(database, name), f"{name} to end", 90)

        tally = hostile_source.strike(simulator, database, carry, options.answers, options.seed)
    print(f"{sum(tally.kinds.values())} answers: {dict(tally.kinds)}")
    print(f"updates {dict(tally.states)}, {tally.quotes} quotes, {tally.named} named")
    ended = before - {one.pid for one in system.processes()}
    return tally.faults + [f"process {pid} ended" for pid in ended] + tracebacks(system, "worker")


async def _ask(url: str, name: str) -> None:
    client = await nats.connect(url)
    message = f'{{"trigger":"update","id":"{name}"}}'
    await client.jetstream().publish("crypto.update", message.encode())
    await client.close()


def _ended(database: Database[Document], name: str) -> Document | None:
    return database["updates"].find_one({"_id": name, "finished_at": {"$ne": None}})


def tracebacks(system: System, *names: str) -> list[str]:
    """Those of the processes whose log has a traceback."""
    return [
        f"a traceback in {name}.log: {text[text.index('Traceback') :][:1500]}"
        for name in names
        if "Traceback" in (text := (system.home / "logs" / f"{name}.log").read_text())
    ]


def main() -> None:
    """Strikes, prints what came of it, and exits with 1 when anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    kinds = parser.add_subparsers(required=True)
    for strike, name, count in (
        (http, "requests", 10_000),
        (events, "messages", 10_000),
        (source, "answers", 500),
    ):
        kind = kinds.add_parser(strike.__name__)
        kind.add_argument(f"--{name}", type=int, default=count)
        kind.set_defaults(strike=strike)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as home,
        running(Path(home), "--demo", COINS="bitcoin,ethereum,top:20", CRON_SCHEDULE=NEVER) as one,
    ):
        faults = options.strike(one, options)
    for fault in faults:
        print(f"FAULT {fault}")
    print(f"seed {options.seed}: {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
