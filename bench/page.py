"""Deprecated: use `python -m bench.perf.page_load`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.page", "bench.perf.page_load")
