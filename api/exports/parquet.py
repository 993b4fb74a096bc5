"""Quotes as Parquet. Imported only where it is asked for: with it a process takes 110 MB more."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from api.exports.batches import BATCH, batches
from market.storage.quote_history import Record

GROUP = 16 * BATCH  # records in a row group: 2 MB while they are held
REPEATED = ["coin", "source"]  # kept as dictionaries; of the others, nearly every value differs

TIME = pa.timestamp("ms", tz="UTC")
SCHEMA = pa.schema(
    {
        "coin": pa.string(),
        "at": TIME,
        "price": pa.float64(),
        "market_cap": pa.float64(),
        "change_24h": pa.float64(),
        "volume_24h": pa.float64(),
        "source": pa.string(),
        "recorded_at": TIME,
        "resolution": pa.int32(),
    }
)


def encode(records: Iterator[Record], names: Sequence[str]) -> Iterator[bytes]:
    """A file in row groups of `GROUP` records, a chunk for each group, the footer last.

    No reader opens a file without its footer, so one that broke off is not taken for whole.
    """
    schema = pa.schema([SCHEMA.field(name) for name in names])
    outbox = _Outbox()
    writer = ParquetWriter(outbox, schema, compression="zstd", use_dictionary=REPEATED)
    group: list[pa.RecordBatch] = []
    for batch in batches(records, names):
        arrays = [pa.array(column, schema.field(name).type) for name, column in batch.items()]
        group.append(pa.record_batch(arrays, schema=schema))
        if len(group) * BATCH >= GROUP:
            writer.write_table(pa.Table.from_batches(group), GROUP)
            group = []
            yield outbox.take()
    if group:
        writer.write_table(pa.Table.from_batches(group), GROUP)
    writer.close()
    yield outbox.take()


class _Outbox(io.RawIOBase):
    """A file that keeps what is written only until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
