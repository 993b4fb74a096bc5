"""Deprecated: use `python -m cli.migrate`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("api.prepare", "cli.migrate")
