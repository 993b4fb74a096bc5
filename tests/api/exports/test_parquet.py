"""Quotes as Parquet: types, row groups, and what is held meanwhile."""

import io

import pyarrow as pa
from pyarrow import parquet as pyarrow_parquet

from api.exports import parquet
from api.exports.columns import names
from tests.harness.export_data import records

COUNT = 2 * parquet.GROUP + 1


def test_types_are_what_their_columns_say() -> None:
    file = io.BytesIO(b"".join(parquet.encode(records("bitcoin", 3), names(repaired=True))))
    schema = pyarrow_parquet.read_schema(file)
    time = pa.timestamp("ms", tz="UTC")
    assert dict(zip(schema.names, schema.types, strict=True)) == {
        "coin": pa.string(),
        "at": time,
        "price": pa.float64(),
        "market_cap": pa.float64(),
        "change_24h": pa.float64(),
        "volume_24h": pa.float64(),
        "source": pa.string(),
        "recorded_at": time,
        "resolution": pa.int32(),
    }


def test_row_groups_are_bounded_and_each_is_sent_when_it_is_full() -> None:
    chunks = list(parquet.encode(records("bitcoin", COUNT), names(repaired=False)))
    meta = pyarrow_parquet.read_metadata(io.BytesIO(b"".join(chunks)))
    groups = [meta.row_group(number).num_rows for number in range(meta.num_row_groups)]
    assert groups == [parquet.GROUP, parquet.GROUP, 1]
    assert meta.row_group(0).column(0).compression == "ZSTD"
    assert len(chunks) == 3
    assert all(chunks)


def test_what_is_taken_is_not_held() -> None:
    buffer = parquet._Buffer()
    buffer.write(b"a")
    buffer.write(memoryview(b"bc"))
    assert buffer.take() == b"abc"
    assert buffer.take() == b""
