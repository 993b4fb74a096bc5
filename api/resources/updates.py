"""The ledger over HTTP: updates, listed, looked up and asked for."""

import hashlib
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify, make_response, url_for
from flask.views import MethodView
from flask_smorest.pagination import PaginationParameters
from pymongo.errors import PyMongoError

import logs
from api.blueprint import Blueprint
from api.errors import CHANGES, error_responses, refuse
from api.events.update_consumer import REQUEST_PREFIX
from api.events.update_waiters import AtCapacity, wait_until_finished
from api.extensions import Services, services
from api.protection.auth import restricted
from api.schemas import updates as schemas
from api.schemas.errors import LegacyError
from api.schemas.legacy import Message
from bridge.events import UpdateRequested
from bridge.publisher import NotPublished, publish

blp = Blueprint("updates", __name__, description="Updates, and the ledger of them")

log = logs.get(__name__)

WAIT_SECONDS = 8.0
PUBLISH_SECONDS = 3.0
ENTRY_SECONDS = 1.0
LOOK_SECONDS = 0.005
NEWEST = "latest"  # stands for an id, where no update has it as its own
KEY: list[dict[str, list[str]]] = [{"apiKey": []}, {}]


@blp.route("/v1/updates")
class Updates(MethodView):
    """All updates."""

    @blp.arguments(schemas.UpdateQuery, location="query")
    @blp.response(200, schemas.Update(many=True))
    @error_responses(blp, 503)
    @blp.paginate(page_size=20, max_page_size=100)
    def get(
        self, query: dict[str, str], pagination_parameters: PaginationParameters
    ) -> list[dict[str, Any]]:
        """The ledger of updates, the newest first"""
        on = services()
        pagination_parameters.item_count = on.ledger.count(**query)
        found = on.ledger.newest(
            skip=pagination_parameters.first_item, limit=pagination_parameters.page_size, **query
        )
        return [_with_source(update, on) for update in found]

    @blp.doc(security=KEY)
    @blp.response(202, schemas.Accepted)
    @error_responses(blp, *CHANGES)
    @restricted
    @blp.arguments(schemas.Wish, location="headers")
    def post(self, wish: dict[str, str | None]) -> Response:
        """Ask for an update now; it can be watched at the Location

        With an Idempotency-Key it is safe to ask again when no answer came: the same key gives the
        same update and the same Location, whichever process answers. An update that failed stays
        that key's; ask for another with a new key. Each call counts for the limit of calls a
        minute, repeated ones too.
        """
        on, key = services(), wish["key"]
        name = _new_id() if key is None else _id_of(key)
        known = None if key is None else _entry(on, name)
        if known is None:
            _publish(on, name)
            _await_entry(on, name)
        body = {"id": name, "state": known["state"] if known else "received"}
        response = make_response(jsonify(body), 202)
        response.headers["Location"] = url_for("updates.OneUpdate", update_id=name)
        return response


@blp.route("/v1/updates/<string(maxlength=64):update_id>")
class OneUpdate(MethodView):
    """One update."""

    @blp.response(200, schemas.Update)
    @error_responses(blp, 404, 503)
    def get(self, update_id: str) -> dict[str, Any]:
        """One update: its state, the times of its hops, its counts, what was left out and why

        `latest` is the one that was received last.
        """
        ledger = services().ledger
        update = ledger.get(update_id)
        if update is None and update_id == NEWEST:
            update = next(iter(ledger.newest(limit=1)), None)
        if update is None:
            refuse(404, f"There is no update {update_id}")
        return _with_source(update, services())


@blp.route("/trigger-update")
class TriggerUpdate(MethodView):
    """The seed's way to ask for an update."""

    @blp.doc(security=KEY)
    @blp.response(200, Message)
    @error_responses(blp, *CHANGES, 502, 504, schema=LegacyError)
    @restricted
    def post(self) -> dict[str, str]:
        """Ask for an update now, and wait until its quotes can be read"""
        on = services()
        name = _new_id()
        try:
            with on.waiters.place(name) as news:
                _publish(on, name)
                update = wait_until_finished(lambda: on.ledger.get(name), news, WAIT_SECONDS)
        except AtCapacity as error:
            refuse(503, f"{error}; try again in a few seconds")
        if update is None:
            refuse(
                504,
                f"Update {name} did not end within {WAIT_SECONDS:.0f} s; see /v1/updates/{name}",
            )
        if update["state"] != "done":
            refuse(502, f"Update {name} failed: {update['error']}")
        return {"message": "Cryptocurrency stats updated successfully"}


def _new_id() -> str:
    return f"{REQUEST_PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def _id_of(key: str) -> str:
    # A digest, since an id in the ledger, on NATS and in an address is short and plain.
    return f"{REQUEST_PREFIX}key-{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _publish(on: Services, name: str) -> None:
    if short := on.room.shortage():
        refuse(503, f"Nothing can be stored now: {short}")
    event = UpdateRequested(name, datetime.now(UTC))
    try:
        sequence = publish(on.nats, event, message_id=name, within=PUBLISH_SECONDS)
    except NotPublished as error:
        refuse(503, str(error))
    log.info("published", update=name, sequence=sequence)


def _await_entry(on: Services, name: str) -> None:
    """Waits until some process has entered the event, so that its Location answers at once.

    No longer than a second: the event is safe in the stream, and will be entered.
    """
    end = time.monotonic() + ENTRY_SECONDS
    while _entry(on, name) is None and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)


def _entry(on: Services, name: str) -> dict[str, Any] | None:
    """The update, if the ledger has it and answers."""
    with suppress(PyMongoError):
        return on.ledger.get(name)
    return None


def _with_source(update: dict[str, Any], on: Services) -> dict[str, Any]:
    return update | {"source": update.get("source") or on.settings.source}
