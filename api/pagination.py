"""Pages through a coin's history by an opaque cursor, carried in a Link header."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import request, url_for
from marshmallow import Schema, ValidationError
from marshmallow.fields import Field

from api.schemas.fields import EARLIEST, LATEST, TimeRangeQuery, shown
from market.storage.quote_history import MILLISECOND

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_LENGTH = 704  # an id has up to 128 characters, each of up to 4 bytes; in base64, with a time
LINK_DOC = {
    "Link": {
        "description": 'The next, older page: <address>; rel="next" (RFC 8288). The address is '
        "relative to this one. Absent on the last page",
        "schema": {"type": "string"},
        "example": '</v1/coins/bitcoin/quotes?cursor=...>; rel="next"',
    }
}


@dataclass(frozen=True)
class Cursor:
    """Continues with `coin` before a time: quotes stored meanwhile shift no page."""

    coin: str
    before: datetime

    def __str__(self) -> str:
        text = f"{(self.before - EPOCH) // MILLISECOND}:{self.coin}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")


class CursorParam(Field[Cursor]):
    """A cursor from an earlier page."""

    def __init__(self) -> None:
        metadata = {
            "type": "string",
            "maxLength": MAX_LENGTH,
            "description": "Where to continue: the cursor in the Link header of a page",
            "example": str(Cursor("bitcoin", datetime(2100, 1, 1, tzinfo=UTC))),
        }
        super().__init__(metadata=metadata)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Cursor:
        try:
            milliseconds, _, coin = _decode(value).partition(":")
            cursor = Cursor(coin, EPOCH + int(milliseconds) * MILLISECOND)
            if str(cursor) == value and EARLIEST <= cursor.before < LATEST:
                return cursor
        except (ValueError, OverflowError):
            pass
        raise ValidationError(
            f"{shown(value)} is not a valid cursor: take the one in the Link header of a page"
        )


class PageQuery(TimeRangeQuery):
    """A time range, newest first, from where the previous page ended."""

    cursor = CursorParam()


def page_end(query: dict[str, Any]) -> datetime | None:
    """Returns where the page ends: at `to`, or at the cursor if that is earlier."""
    cursor = query.get("cursor")
    ends = [query.get("to"), cursor.before if cursor else None]
    return min((end for end in ends if end is not None), default=None)


def next_page(schema: type[Schema], coin: str, before: datetime) -> dict[str, str]:
    """Returns the Link header to the page after the present request, whose query is of `schema`."""
    names = [field.data_key or name for name, field in schema().fields.items()]
    asked: dict[str, Any] = {name: request.args[name] for name in names if name in request.args}
    asked |= {**(request.view_args or {}), "cursor": str(Cursor(coin, before))}
    return {"Link": f'<{url_for(str(request.endpoint), **asked)}>; rel="next"'}


def _decode(value: str) -> str:
    if len(value) > MAX_LENGTH:
        raise ValueError(value)
    return urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
