"""Backing up, and putting back."""

import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from bson import decode, json_util
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout, PyMongoError

from bench.harness.services import keep, quote
from market.storage import backup, backup_format, migrations
from market.storage import database as market_database
from market.storage.backup import back_up
from market.storage.backup_format import BadArchive, reading, split
from market.storage.database import Document
from market.storage.migrations import TooNew
from market.storage.quote_store import QuoteStore
from market.storage.restore import (
    EXCHANGE,
    PREFIX,
    DatabaseNotEmpty,
    discard,
    finish_exchange,
    restore,
)
from tests.harness.backups import THEN, contents, file, filled

__all__ = ["file", "filled"]


def wipe(database: Database[Document]) -> None:
    database.client.drop_database(database.name)


def test_what_was_wiped_is_back(filled: Database[Document], file: Path) -> None:
    before = contents(filled)
    assert len(before["quotes"][0]) == 200
    wipe(filled)
    told: list[tuple[str, int]] = []
    restore(filled, file, report_progress=lambda *one: told.append(one))
    migrations.migrate(filled)
    market_database.prepare(filled)
    assert contents(filled) == before
    assert ("quotes", 200) in told


def test_it_goes_into_a_prepared_home(filled: Database[Document], file: Path) -> None:
    before = contents(filled)
    wipe(filled)
    migrations.migrate(filled)
    market_database.prepare(filled)
    restore(filled, file)
    market_database.prepare(filled)
    assert contents(filled) == before


def test_it_is_of_one_moment(filled: Database[Document], store: QuoteStore, tmp_path: Path) -> None:
    before = {name: filled[name].count_documents({}) for name in ("quotes", "updates")}
    late = quote("late", 1.0)

    def tell(name: str, _: int) -> None:
        # Between two collections something is stored in both.
        if name == "coins":
            keep(store, late)

    manifest = back_up(filled, tmp_path / "a.zip", tell)
    counts = {name: one["count"] for name, one in manifest["collections"].items()}
    assert {name: counts[name] for name in before} == before
    assert filled["quotes"].count_documents({}) == before["quotes"] + 1


def test_nothing_that_is_stored_is_lost(filled: Database[Document], file: Path) -> None:
    before = contents(filled)
    with pytest.raises(DatabaseNotEmpty, match=r"200 in quotes.*nothing was changed.*--replace"):
        restore(filled, file)
    assert contents(filled) == before


def test_unless_it_is_to_be_replaced(
    filled: Database[Document], store: QuoteStore, file: Path
) -> None:
    before = contents(filled)
    keep(store, quote("newer", 2.0))
    filled["another"].insert_one({})
    restore(filled, file, replace=True)
    market_database.prepare(filled)
    assert contents(filled) == before


def spoilt(file: Path, **changed: bytes | None) -> Path:
    """A copy of the archive in which some entries are others, or missing."""
    made = file.with_name("spoilt.zip")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            data = changed.get(name.replace(".", "_"), old.read(name))
            if data is not None:
                new.writestr(name, data)
    return made


def damaged(file: Path) -> Path:
    """A copy with a byte of its quotes turned round."""
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        info = old.getinfo("quotes.bson")
    data[info.header_offset + 200] ^= 0xFF
    made = file.with_name("damaged.zip")
    made.write_bytes(data)
    return made


def cut(file: Path) -> Path:
    made = file.with_name("cut.zip")
    made.write_bytes(file.read_bytes()[:-100])
    return made


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (damaged, "is damaged: the checksum of quotes.bson|is not a complete backup"),
        (cut, "is not a complete backup"),
        (lambda file: spoilt(file, manifest_json=None), "manifest.json is missing"),
        (lambda file: spoilt(file, manifest_json=b"{"), "manifest.json is missing or unreadable"),
        (lambda file: spoilt(file, quotes_bson=None), "lacks quotes.bson"),
        (lambda file: spoilt(file, quotes_bson=b"\x05\0\0\0\0"), "quotes has 1 documents instead"),
        (lambda file: spoilt(file, quotes_bson=b"\xff\0\0\0\0"), "the last document is incomplete"),
        (lambda file: spoilt(file, quotes_bson=b"\1\0\0\0\0"), "impossible length of 1 bytes"),
        (lambda file: spoilt(file, quotes_bson=b"\5\0"), "impossible length of 0 bytes"),
    ],
)
def test_a_file_that_is_no_whole_backup_changes_nothing(
    filled: Database[Document], file: Path, spoil: Any, reason: str
) -> None:
    bad = spoil(file)
    before = contents(filled)
    with pytest.raises(BadArchive, match=reason):
        restore(filled, bad, replace=True)
    assert contents(filled) == before
    assert not [name for name in before if name.startswith(PREFIX)]


def test_a_newer_one_changes_nothing(filled: Database[Document], file: Path) -> None:
    with reading(file) as one:
        manifest = one.manifest | {"version": 99}
    bad = spoilt(file, manifest_json=json_util.dumps(manifest).encode())
    before = contents(filled)
    with pytest.raises(TooNew, match=r"spoilt\.zip has version 99"):
        restore(filled, bad, replace=True)
    assert contents(filled) == before


def test_no_backup_takes_another_s_place(filled: Database[Document], file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(FileExistsError, match="choose another name"):
        back_up(filled, file)
    assert file.read_bytes() == before


def test_of_two_with_one_name_the_second_is_refused_and_the_first_is_whole(
    filled: Database[Document], tmp_path: Path
) -> None:
    path = tmp_path / "a.zip"
    done: list[str] = []

    def tell(name: str, _: int) -> None:
        # While the first is at its first collection, another begins and ends.
        if not done:
            done.append(name)
            back_up(filled, path)

    with pytest.raises(FileExistsError, match=r"a\.zip already exists: choose another name"):
        back_up(filled, path, tell)
    assert [one.name for one in tmp_path.iterdir()] == ["a.zip"]
    before = contents(filled)
    wipe(filled)
    restore(filled, path)
    market_database.prepare(filled)
    assert contents(filled) == before


class Killed(BaseException):
    """What ends a process at once, as far as its own code can tell."""


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has the n-th write to MongoDB be the last: odd ones are carried out, even ones are not."""

    def killing(at: int) -> None:
        calls = count()

        def watched(write: Any) -> Any:
            def carried_out(*arguments: Any, **named: Any) -> Any:
                call = next(calls)
                if call > at // 2:
                    raise Killed  # what is dead cleans nothing up
                if call == at // 2 and at % 2 == 0:
                    raise Killed
                found = write(*arguments, **named)
                if call == at // 2:
                    raise Killed
                return found

            return carried_out

        for owner, names in (
            (Collection, ("rename", "insert_many", "insert_one")),
            (Database, ("drop_collection", "create_collection")),
        ):
            for name in names:
                monkeypatch.setattr(owner, name, watched(getattr(owner, name)))

    return killing


@pytest.mark.row("restore-killed")
@pytest.mark.parametrize(("then", "every"), [("start", 1), ("restore", 9), ("backup", 9)])
def test_a_restore_that_is_killed_at_any_step_leaves_the_old_or_the_new(
    filled: Database[Document],
    store: QuoteStore,
    file: Path,
    kill: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    then: str,
    every: int,
) -> None:
    new = contents(filled)
    ends = {"old": 0, "new": 0}
    for at in count(0, every):
        # Given a database that has gone on, and has a collection that the backup has not
        keep(store, quote("newer", 2.0, THEN + timedelta(days=1)))
        filled["another"].insert_one({"step": at})
        old = {n: one for n, one in contents(filled).items() if not n.startswith(PREFIX)}
        # When the restore dies
        kill(at)
        try:
            restore(filled, file, replace=True)
        except Killed:
            died = True
        else:
            died = False
        monkeypatch.undo()
        # Then what comes next finds all of the one or all of the other
        if then == "restore":
            restore(filled, file, replace=True)
        elif then == "backup":
            copy = file.with_name(f"{at}.zip")
            back_up(filled, copy)
            restore(filled, copy, replace=True)
        else:
            finish_exchange(filled)
        market_database.prepare(filled)
        found = {n: one for n, one in contents(filled).items() if not n.startswith(PREFIX)}
        assert not list(filled[EXCHANGE].find())
        assert found in (old, new)
        ends["old" if found == old else "new"] += 1
        if not died:
            break
        discard(filled)  # so that each restore takes the same steps
    assert not [name for name in filled.list_collection_names() if name.startswith(PREFIX)]
    assert ends["new"] > 20 / every
    assert ends["old"] > 20 / every or then == "restore"


def test_one_that_breaks_off_leaves_no_file(
    filled: Database[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(*_: object) -> Iterator[bytes]:
        yield b""
        raise ExecutionTimeout("too slow")

    monkeypatch.setattr(backup, "_chunks", breaking)
    with pytest.raises(PyMongoError):
        back_up(filled, tmp_path / "a.zip")
    assert list(tmp_path.glob("a.zip*")) == []


def test_other_tools_can_read_it(filled: Database[Document], file: Path) -> None:
    with zipfile.ZipFile(file) as one:
        documents = [decode(document) for document in split(one.read("quotes.bson"))]
    assert len(documents) == 200
    assert {one["price"] for one in documents} == {1.0 + number for number in range(10)}


def test_a_large_collection_comes_in_parts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_format, "CHUNK_BYTES", 1000)
    with reading(file) as one:
        parts = list(one.chunks("quotes"))
    assert len(parts) > 20
    assert sum(len(part) for part in parts) == 200
