"""Attributes for who hears a page rather than sees it."""

from typing import Any


def aria(**attributes: str) -> dict[str, Any]:
    """Each attribute with `aria-` before its name, which is no name in Python."""
    return {f"aria-{name}": text for name, text in attributes.items()}
