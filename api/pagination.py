"""Where the next page of a coin's past begins: an opaque cursor, carried by a Link."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import request, url_for
from marshmallow import Schema, ValidationError
from marshmallow.fields import Field

from api.schemas.fields import EARLIEST, LATEST, shown
from market.storage.quote_history import MILLISECOND

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_LENGTH = 704  # an id has up to 128 characters, each of up to 4 bytes; in base64, with a time
NEXT = {
    "Link": {
        "description": 'The next page, older: <address>; rel="next" (RFC 8288). The address is '
        "relative to this one. Without it this page is the last",
        "schema": {"type": "string"},
        "example": '</v1/coins/bitcoin/quotes?cursor=...>; rel="next"',
    }
}


@dataclass(frozen=True)
class Cursor:
    """What comes next is of `coin` and before a time: what is stored meanwhile shifts no page."""

    coin: str
    before: datetime

    def __str__(self) -> str:
        text = f"{(self.before - EPOCH) // MILLISECOND}:{self.coin}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")


class CursorParam(Field[Cursor]):
    """A cursor that was given out before."""

    def __init__(self) -> None:
        metadata = {
            "type": "string",
            "maxLength": MAX_LENGTH,
            "description": "Where to go on, as the Link of the page before says",
            "example": str(Cursor("bitcoin", datetime(2100, 1, 1, tzinfo=UTC))),
        }
        super().__init__(metadata=metadata)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Cursor:
        try:
            milliseconds, _, coin = _decoded(value).partition(":")
            cursor = Cursor(coin, EPOCH + int(milliseconds) * MILLISECOND)
            if str(cursor) == value and EARLIEST <= cursor.before < LATEST:
                return cursor
        except (ValueError, OverflowError):
            pass
        raise ValidationError(f"{shown(value)} is no cursor: take the one in the Link of a page")


def _decoded(value: str) -> str:
    if len(value) > MAX_LENGTH:
        raise ValueError(value)
    return urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()


def next_page(schema: type[Schema], coin: str, before: datetime) -> dict[str, str]:
    """The header that leads on from the present request, whose query is of `schema`."""
    names = [field.data_key or name for name, field in schema().fields.items()]
    asked: dict[str, Any] = {name: request.args[name] for name in names if name in request.args}
    asked |= {**(request.view_args or {}), "cursor": str(Cursor(coin, before))}
    return {"Link": f'<{url_for(str(request.endpoint), **asked)}>; rel="next"'}
