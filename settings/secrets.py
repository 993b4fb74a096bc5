"""Finds the secrets in the settings, which no log and no response may show."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

SECRET_OPTION = re.compile(r"pass|token|secret|key|sig|auth", re.IGNORECASE)


def secret_texts(settings: Iterable[tuple[str, Any]]) -> list[str]:
    """Returns all keys and passwords, including those within addresses.

    The path and the query of the webhook's address are its key: an error of a call may contain
    them alone.
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
        login = address.password or address.username or ""
        texts += [login, unquote(login)]
        options = parse_qsl(address.query)
        texts += [text for option, text in options if SECRET_OPTION.search(option)]
        if name == "webhook_url":
            texts += [secret, address.path.strip("/"), address.query]
    return [text for text in texts if text]


def clean(secret: str) -> str | None:
    """Strips white space; returns None if nothing is left.

    Raises ValueError, which does not show the secret, if no HTTP header can carry it.
    """
    secret = secret.strip()
    if not (secret.isascii() and secret.isprintable()):
        raise ValueError(
            "only printable ASCII characters are allowed, and it contains another, such as a line "
            "break, a tab or an accented letter. Check that exactly the value was copied"
        )
    return secret or None
