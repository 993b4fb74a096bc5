"""Deprecated: use `python -m bench.chaos.freeze`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.freeze", "bench.chaos.freeze")
