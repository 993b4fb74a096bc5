"""Which texts of the settings no log and no answer may show."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

SECRET_OPTION = re.compile(r"pass|token|secret|key|sig|auth", re.IGNORECASE)


def secret_texts(settings: Iterable[tuple[str, Any]]) -> list[str]:
    """Keys and passwords; of an address the password, or the token, as it stands there.

    The path and the query of the webhook's address are its key: an error of a call may name them
    by themselves.
    """
    texts: list[str] = []
    for name, value in settings:
        if not isinstance(value, SecretStr):
            continue
        secret = value.get_secret_value()
        if "://" not in secret:
            texts.append(secret)
            continue
        address = urlsplit(secret)
        texts += _both(address.password or address.username or "")
        options = parse_qsl(address.query)
        texts += [text for option, text in options if SECRET_OPTION.search(option)]
        if name == "webhook_url":
            texts += [secret, address.path.strip("/"), address.query]
    return [text for text in texts if text]


def clean(secret: str) -> str | None:
    """Without the white space around it, None for nothing else; ValueError, which does not show
    it, for one that no header can carry."""
    secret = secret.strip()
    if not (secret.isascii() and secret.isprintable()):
        raise ValueError(
            "only printable ASCII characters are allowed, and it contains another, such as a line "
            "break, a tab or an accented letter. Check that exactly the value was copied"
        )
    return secret or None


def _both(written: str) -> list[str]:
    """As it stands in an address, and as it was meant."""
    return [written, unquote(written)]
