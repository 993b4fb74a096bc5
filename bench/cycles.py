"""Deprecated: use `python -m bench.chaos.supervisor_cycles`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.cycles", "bench.chaos.supervisor_cycles")
