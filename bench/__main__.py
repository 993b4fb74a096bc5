"""The benchmarks of docs/performance.md, one after the other: `./koinx bench [NAME …]`."""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from settings import ROOT

# Each prints its own table, and exits with 1 if a figure is not what it must be.
PARTS: Mapping[str, tuple[str, ...]] = {
    "throughput": (),
    "latency": ("--coins", "3,250,5000,17500"),
    "writes": (),
    "writes_at_scale": (),
    "storage": (),
    "memory": (),
    "page_load": (),
}
RENAMED = {
    "event_to_readable": "latency",
    "grown": "writes_at_scale",
    "page": "page_load",
}  # for 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the parts; 1 if one of them missed something."""
    parser = argparse.ArgumentParser(prog="./koinx bench", description=__doc__)
    parser.add_argument("name", nargs="*", metavar="NAME", help=", ".join(PARTS))
    names = parser.parse_args(arguments).name or list(PARTS)
    for old in RENAMED.keys() & set(names):
        print(
            f"./koinx bench {old} is deprecated: use ./koinx bench {RENAMED[old]}", file=sys.stderr
        )
    chosen = [RENAMED.get(name, name) for name in names]
    if unknown := [name for name in chosen if name not in PARTS]:
        parser.error(f"{unknown[0]!r} is no benchmark: choose from {', '.join(PARTS)}")
    machine = os.uname()
    about = f"{machine.sysname} {machine.release}, {machine.machine}, {os.cpu_count()} cores"
    print(f"{about}, load {os.getloadavg()[0]:.1f}")
    missed = [name for name in chosen if not _runs_well(name)]
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nall figures are what they must be")
    return int(bool(missed))


def _runs_well(name: str) -> bool:
    print(f"\n== {name}", flush=True)
    command = [sys.executable, "-m", f"bench.perf.{name}", *PARTS[name]]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
