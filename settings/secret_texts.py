"""Which texts of the settings no log and no answer may show."""

from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from settings.model import Settings

SERVERS = ("mongodb_uri", "nats_url", "redis_url")


def secret_texts(settings: Settings) -> list[str]:
    """Keys and passwords; of a server's address the password, or the token, as it stands there.

    The path of the webhook's address is its key: an error of a call may name it by itself.
    """
    texts: list[str] = []
    for name, value in settings:
        if not isinstance(value, SecretStr):
            continue
        secret = value.get_secret_value()
        if name in SERVERS:
            address = urlsplit(secret)
            texts += _both(address.password or address.username or "")
        else:
            texts.append(secret)
    if settings.webhook_url is not None:
        texts.append(urlsplit(settings.webhook_url.get_secret_value()).path.strip("/"))
    return [text for text in texts if text]


def _both(written: str) -> list[str]:
    """As it stands in an address, and as it was meant."""
    return [written, unquote(written)]
