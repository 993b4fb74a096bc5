"""Deprecated: use `python -m bench.perf.writes_at_scale`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.grown", "bench.perf.writes_at_scale")
