"""Deprecated: use `python -m api.openapi.dump`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("api.openapi", "api.openapi.dump")
