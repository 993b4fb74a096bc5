"""Quotes as a file, over HTTP."""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet
import pytest
from flask.testing import FlaskClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from api.exports import columns, streaming
from api.exports.columns import names
from api.exports.formats import FORMATS
from api.protection.slow_clients import MIN_BYTES, WINDOW_SECONDS
from bench.harness.services import keep, quote
from market.model.quotes import SUCCESSORS
from market.storage.database import QUOTES, REPAIRED, Document
from market.storage.quote_history import QuoteHistory, Record
from market.storage.quote_store import QuoteStore
from tests.harness.export_data import QUARTER, START, by_polars, insert, records, repaired, row

PATH = "/v1/quotes/export"
COUNT = 2100  # more than a page, and than a batch
COINS = ("bitcoin", "tether", "-6")
MANY = 80_000
MB = 1_000_000


@pytest.fixture
def stored(database: Database[Document], store: QuoteStore) -> list[Record]:
    """Quotes of three coins, in the order in which all of them are exported."""
    found = [record for coin in sorted(COINS) for record in records(coin, COUNT)]
    insert(database, found)
    keep(store, *(quote(coin, 1.0, START) for coin in COINS))
    return found


def lines(client: FlaskClient, query: str = "") -> list[list[str]]:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text, newline="")))


def test_a_file_is_what_is_stored(
    client: FlaskClient, stored: list[Record], tmp_path: Path
) -> None:
    for form in FORMATS:
        file = tmp_path / f"all.{form}"
        file.write_bytes(client.get(f"{PATH}?format={form}").data)
        expected = [row(record, names(repaired=False)) for record in stored]
        if form == "csv":
            expected = [("'-6" if one[0] == "-6" else one[0], *one[1:]) for one in expected]
        assert by_polars(file) == expected


@pytest.mark.usefixtures("stored")
def test_coins_come_in_the_order_asked_for_each_once_and_newest_first(client: FlaskClient) -> None:
    header, *found = lines(client, "coin=tether&coin=bitcoin&coin=tether")
    assert ",".join(header) == ("coin,at,price,market_cap,change_24h,volume_24h,source,recorded_at")
    assert [one[0] for one in found] == ["tether"] * COUNT + ["bitcoin"] * COUNT
    times = [one[1] for one in found[:COUNT]]
    assert times == sorted(times, reverse=True)


@pytest.mark.usefixtures("stored")
def test_from_is_in_it_and_to_is_not(client: FlaskClient) -> None:
    start, end = START + 3 * QUARTER, START + 6 * QUARTER
    query = f"coin=bitcoin&from={start:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"
    assert [one[1][11:16] for one in lines(client, query)[1:]] == ["01:15", "01:00", "00:45"]


@pytest.mark.usefixtures("stored")
def test_repaired_quotes_have_a_column_that_says_so(
    client: FlaskClient, database: Database[Document]
) -> None:
    [first] = records("bitcoin", 1)
    gap = repaired(first, at=START - timedelta(hours=1), price=7.0)
    insert(database, [repaired(first, price=9.0), gap], into=REPAIRED)
    header, *_, last, oldest = lines(client, "coin=bitcoin&include=repaired")
    assert header[-1] == "resolution"
    assert (last[2], last[-1]) == ("100.0", "")
    assert (oldest[2], oldest[-1]) == ("7.0", "300")
    assert lines(client, "coin=bitcoin")[-1][2] == "100.0"


@pytest.mark.parametrize(
    ("form", "content_type", "coded"),
    [
        ("csv", "text/csv; charset=utf-8", True),
        ("ndjson", "application/x-ndjson", True),
        ("parquet", "application/vnd.apache.parquet", False),
    ],
)
def test_headers_name_the_file_and_promise_no_length(
    client: FlaskClient, form: str, content_type: str, coded: bool
) -> None:
    answer = client.get(f"{PATH}?coin=bitcoin&format={form}")
    headers = answer.headers
    assert headers["Content-Type"] == content_type
    assert re.fullmatch(
        rf'attachment; filename="koinx_demo_usd-20\d{{6}}T\d{{6}}Z\.{form}"',
        headers["Content-Disposition"],
    )
    assert answer.is_streamed
    assert not {"Content-Length", "ETag", "Last-Modified"} & {*headers.keys()}
    assert headers["Cache-Control"] == "no-store"
    assert headers.get("Vary") == ("Accept-Encoding" if coded else None)


@pytest.mark.usefixtures("stored")
def test_text_goes_compressed_to_who_accepts_it(client: FlaskClient) -> None:
    for form in FORMATS:
        path = f"{PATH}?coin=bitcoin&format={form}"
        plain = client.get(path, headers={"Accept-Encoding": "gzip;q=0"})
        coded = client.get(path, headers={"Accept-Encoding": "gzip, deflate, br"})
        assert "Content-Encoding" not in plain.headers
        if form == "parquet":
            assert "Content-Encoding" not in coded.headers
            assert coded.data == plain.data
        else:
            assert coded.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(coded.data) == plain.data


def test_a_coin_with_nothing_stored_is_a_header(client: FlaskClient) -> None:
    assert lines(client, "coin=bitcoin") == [list(names(repaired=False))]
    assert lines(client) == [list(names(repaired=False))]
    assert client.get(f"{PATH}?format=ndjson").data == b""


def test_a_retired_id_is_answered_by_its_successor(
    client: FlaskClient, store: QuoteStore, database: Database[Document]
) -> None:
    [(old, new)] = SUCCESSORS.items()
    keep(store, quote(old, 1.0, START), quote(new, 1.0, START + QUARTER))
    assert [one[0] for one in lines(client, f"coin={old}&coin={new}")[1:]] == [new]
    assert len(QuoteHistory(database).records(old, limit=9)) == 1


WRONG = [
    ("coin=nope", 404, "'nope' is not collected; see /v1/coins for all coins"),
    ("coin=bitcoin&coin=%00", 404, r"'\x00' is not collected"),
    ("coin=%ff%fe", 404, "is not collected"),
    ("coin=[$gt]", 404, "'[$gt]' is not collected"),
    ("coin=", 422, "coin is '': allowed is"),
    ("coin=" + "a" * 129, 422, "1 to 128"),
    ("&".join(["coin=bitcoin"] * 251), 422, "250"),
    ("format=xls", 422, "format is 'xls': allowed is one of csv, ndjson, parquet"),
    ("format=", 422, "format is ''"),
    ("include=all", 422, "include is 'all': allowed is one of recorded, repaired"),
    ("from=yesterday", 422, "'yesterday' is not an ISO-8601 time"),
    ("to=2026-01-01", 422, "'2026-01-01' is not an ISO-8601 time"),
    ("from=0001-01-01T00:00:00Z", 422, "2009 to 2199"),
    ("to=9999-12-31T23:59:59.999-23:59", 422, "2009 to 2199"),
    (
        "from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z",
        422,
        "from is '2026-01-02T00:00:00Z': must be before to, which is 2026-01-02T00:00:00+00:00",
    ),
]


def test_what_is_wrong_is_named(client: FlaskClient) -> None:
    for query, status, words in WRONG:
        answer = client.get(f"{PATH}?{query}")
        assert answer.status_code == status, (query, answer.text)
        assert answer.json is not None
        assert words in answer.json["message"]
        assert set(answer.json) == {"code", "status", "message", "errors"}


@pytest.mark.usefixtures("stored")
def test_one_too_many_is_told_to_wait(client: FlaskClient) -> None:
    under_way = [client.get(PATH, buffered=False) for _ in range(streaming.MAX_CONCURRENT_EXPORTS)]
    refused = client.get(PATH)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "10"
    assert refused.json is not None
    assert refused.json["message"] == (
        "4 exports are running in this process already; try again in 10 s"
    )
    for one in under_way:
        one.close()
    assert client.head(PATH).status_code == 200
    assert streaming._places._value == streaming.MAX_CONCURRENT_EXPORTS


def test_a_database_that_does_not_answer_is_told_before_anything_is_sent(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QuoteHistory, "records", _fail)
    answer = client.get(f"{PATH}?coin=bitcoin")
    assert answer.status_code == 503
    assert answer.json is not None
    assert "MongoDB does not respond" in answer.json["message"]
    assert streaming._places._value == streaming.MAX_CONCURRENT_EXPORTS


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_failure_on_the_way_is_the_last_line_and_no_end(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(columns, "BATCH", 1000)
    answer = client.get(f"{PATH}?coin=bitcoin&format={form}", buffered=False)
    monkeypatch.setattr(QuoteHistory, "records", _fail)
    body = bytearray()
    with pytest.raises(PyMongoError):
        for chunk in answer.iter_encoded():
            body += chunk
    assert body.endswith(FORMATS[form].broken_off)
    assert streaming._places._value == streaming.MAX_CONCURRENT_EXPORTS


def _fail(*_: object, **__: object) -> Iterator[Record]:
    raise PyMongoError("down")


def test_memory_does_not_grow_with_the_file(
    client: FlaskClient, database: Database[Document], tmp_path: Path
) -> None:
    """80,000 quotes are 11 MB of CSV, and over 50 MB as records."""
    quarter = MANY // 4
    insert(database, chain.from_iterable(records(coin, quarter) for coin in "abcd"))
    process = psutil.Process()
    client.get(f"{PATH}?coin=bitcoin&format=parquet").close()  # pyarrow is loaded
    for form in FORMATS:
        size, peak, before = 0, 0, process.memory_info().rss
        with (tmp_path / form).open("wb") as file:
            for chunk in client.get(f"{PATH}?format={form}", buffered=False).iter_encoded():
                size += file.write(chunk)
                peak = max(peak, process.memory_info().rss - before)
        assert size > MB / 2
        assert peak < 20 * MB, f"{form}: {peak / MB:.0f} MB for {size / MB:.0f} MB of file"
    groups = pyarrow.parquet.read_metadata(tmp_path / "parquet")
    assert groups.num_rows == database[QUOTES].count_documents({}) == MANY


def test_the_document_says_what_columns_are(client: FlaskClient) -> None:
    document: dict[str, Any] = json.loads(client.get("/openapi.json").data)
    operation = document["paths"][PATH]["get"]
    answer = operation["responses"]["200"]
    assert set(answer["content"]) == {
        one.content_type.partition(";")[0] for one in FORMATS.values()
    }
    for name in names(repaired=True):
        assert f"`{name}`" in answer["description"]
    assert "newest quote first" in operation["description"]
    assert (
        f"At most {streaming.MAX_CONCURRENT_EXPORTS} exports run at once"
        in operation["description"]
    )
    pace = MIN_BYTES / WINDOW_SECONDS / 1000
    assert f"less than {pace:.0f} kB/s for half a minute" in operation["description"]
    assert {"404", "422", "503"} <= set(operation["responses"])
    parameters = {one["name"]: one for one in operation["parameters"]}
    assert set(parameters) == {"format", "coin", "from", "to", "include"}
    assert parameters["coin"].get("explode", True)
