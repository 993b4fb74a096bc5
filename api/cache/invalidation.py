"""Looks for updates that ended unheard, so that no kept answer outlives its time by much."""

import threading
import time

from pymongo.errors import PyMongoError

import logs
from api.cache.response_cache import ResponseCache
from logs.redaction import plain
from market.ledger.event_log import EventLog

log = logs.get(__name__)

LOOK_SECONDS = 0.5
TRUST_SECONDS = 2.0  # without a look that went well, after which the snapshot gives no answers


def look_out(closings: EventLog, snapshot: ResponseCache) -> None:
    """Drops the snapshot when the ledger has an end that it had not; returns at once.

    While the ledger can't be read the snapshot is not trusted: what is asked then is answered, or
    refused, by MongoDB itself.
    """

    def look() -> None:
        known: int | None = None
        while True:
            begun = time.monotonic()
            try:
                newest = closings.newest()
            except PyMongoError as error:
                log.debug("the ledger was not read", reason=plain(error))
            except Exception as error:
                # Whatever it was: without this thread no answer would be kept any more.
                log.warning("the ledger was not read", reason=plain(error))
            else:
                if newest != known:
                    known = newest
                    snapshot.drop()
                snapshot.trust(begun + TRUST_SECONDS)
            time.sleep(LOOK_SECONDS)

    threading.Thread(target=look, name="lookout", daemon=True).start()
