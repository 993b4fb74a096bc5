"""Deprecated: use `python -m cli.restore`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("api.restore", "cli.restore")
