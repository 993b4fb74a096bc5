"""The address of a coin's page."""

from urllib.parse import quote


def link(coin: str) -> str:
    """Of a coin's id, whatever characters it holds."""
    return f"/coin/{quote(coin, safe='')}"
