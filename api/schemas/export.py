"""Exports of quotes as a file."""

from marshmallow import validate
from marshmallow.fields import List, String

from api.exports.columns import COLUMNS
from api.exports.formats import FORMATS
from api.schemas.fields import IS_COIN_ID, TimeRangeQuery, described

MAX_COINS = 250


class ExportQuery(TimeRangeQuery):
    """Which quotes, and in which format."""

    format = String(
        load_default="csv",
        validate=validate.OneOf(list(FORMATS)),
        metadata=described("The file format", "csv"),
    )
    coin = List(
        String(validate=IS_COIN_ID),
        load_default=list,
        validate=validate.Length(max=MAX_COINS),
        metadata=described(
            "Ids, each as its own parameter: coin=bitcoin&coin=ethereum. "
            f"At most {MAX_COINS}; by default every coin that has quotes",
            ["bitcoin"],
        ),
    )


EXAMPLE_CSV = (
    "coin,at,price,market_cap,change_24h,volume_24h,source,recorded_at\r\n"
    "bitcoin,2026-11-22T08:29:41.118Z,45000.0,850000000000.0,-1.25,,coingecko,"
    "2026-11-22T08:30:02.570Z\r\n"
)
EXAMPLE_NDJSON = (
    '{"coin":"bitcoin","at":"2026-11-22T08:29:41.118Z","price":45000.0,'
    '"market_cap":850000000000.0,"change_24h":-1.25,"volume_24h":null,"source":"coingecko",'
    '"recorded_at":"2026-11-22T08:30:02.570Z"}\n'
)
FILE = {
    "description": "The file. Its columns:\n\n"
    + "\n".join(f"- `{name}`: {text}" for name, text in COLUMNS.items()),
    "content": {
        "text/csv": {"schema": {"type": "string"}, "example": EXAMPLE_CSV},
        "application/x-ndjson": {"schema": {"type": "string"}, "example": EXAMPLE_NDJSON},
        "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
    },
}
