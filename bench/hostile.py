"""Deprecated: use `python -m bench.fuzz`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("bench.hostile", "bench.fuzz")
