"""Each format, read by what analysts use: every number and time as it was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.exports.columns import names
from api.exports.formats import FORMATS
from market.storage.quote_history import Record
from tests.harness.export_data import READERS, records, repaired, row

Read = Callable[[Path], list[tuple[Any, ...]]]


def written(folder: Path, form: str, found: list[Record], *, with_repaired: bool) -> Path:
    file = folder / f"quotes.{form}"
    chunks = FORMATS[form].encode(iter(found), names(repaired=with_repaired))
    file.write_bytes(b"".join(chunks))
    return file


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("with_repaired", [False, True])
def test_a_file_reads_back_as_what_was_stored(
    form: str, read: Read, with_repaired: bool, tmp_path: Path
) -> None:
    found = [*records("bitcoin", 2100), *records("odd, coin", 40)]
    if with_repaired:
        found[3::7] = [repaired(record) for record in found[3::7]]
    file = written(tmp_path, form, found, with_repaired=with_repaired)
    assert read(file) == [row(one, names(repaired=with_repaired)) for one in found]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_broke_off_is_refused(form: str, read: Read, tmp_path: Path) -> None:
    file = written(tmp_path, form, list(records("bitcoin", 5000)), with_repaired=False)
    whole = file.read_bytes()
    cut = whole.rfind(b"\n", 0, len(whole) // 2) + 1  # between two lines
    file.write_bytes(whole[:cut] + FORMATS[form].broken_off)
    with pytest.raises(
        Exception, match=r"(?i)pars|tokeniz|invalid|footer|magic|fields|expected|PAR1"
    ):
        read(file)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_stored_is_a_file_too(form: str, tmp_path: Path) -> None:
    file = written(tmp_path, form, [], with_repaired=False)
    if form == "ndjson":
        assert file.read_bytes() == b""
    else:
        assert READERS[1](file) == []
