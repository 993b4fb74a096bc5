"""Deprecated: use `python -m cli.backup`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("api.backup", "cli.backup")
