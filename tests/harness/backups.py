"""A filled database, and what a backup of it must hold."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import json_util
from pymongo.database import Database

from bench.harness.services import keep, quote
from market.ledger.ledger import Ledger
from market.storage import migrations
from market.storage.backup import back_up
from market.storage.database import Document
from market.storage.quote_store import QuoteStore
from market.storage.restore import EXCHANGE
from market.storage.restore_lock import CLAIMS
from tests.harness.ledger_entries import closed

THEN = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@pytest.fixture
def filled(database: Database[Document], store: QuoteStore, ledger: Ledger) -> Database[Document]:
    migrations.migrate(database)
    for number in range(10):
        at = THEN + timedelta(minutes=15 * number)
        coins = (quote(f"coin-{one}", 1.0 + number, at) for one in range(20))
        keep(store, *coins, recorded_at=at)
        closed(ledger, f"update-{number}", "done")
    return database


@pytest.fixture
def file(filled: Database[Document], tmp_path: Path) -> Path:
    path = tmp_path / "koinx.zip"
    back_up(filled, path)
    return path


def contents(database: Database[Document]) -> dict[str, Any]:
    """All documents and options by collection, in a form that can be compared."""
    return {
        name: (
            sorted(json_util.dumps(one) for one in database[name].find()),
            {k: v for k, v in database[name].options().items() if k != "uuid"},
            sorted(database[name].index_information()),
        )
        for name in database.list_collection_names()
        if name not in (EXCHANGE, CLAIMS)
    }
