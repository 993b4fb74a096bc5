"""GET and POST /v1/updates, and the original KoinX API's POST /trigger-update."""

import hashlib
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify, make_response, url_for
from flask_smorest.pagination import PaginationParameters
from pymongo.errors import PyMongoError

import logs
from api.errors import RESTRICTED, LegacyError, error_responses, refuse
from api.events.update_consumer import REQUEST_PREFIX
from api.events.update_waiters import AtCapacity, wait_until_finished
from api.extensions import Services, current_services
from api.protection.auth import KEY_SECURITY, restricted
from api.schemas import updates as schemas
from api.schemas.legacy import Message
from api.validation import Blueprint
from bridge.events import UpdateRequested
from bridge.publisher import NotPublished, publish

blp = Blueprint("updates", __name__, description="Updates and their ledger")

log = logs.get(__name__)

WAIT_SECONDS = 8.0
PUBLISH_SECONDS = 3.0
ENTRY_SECONDS = 1.0
POLL_SECONDS = 0.005
LATEST = "latest"  # stands for the newest update, unless one has it as its id


@blp.get("/v1/updates")
@blp.arguments(schemas.UpdateQuery, location="query")
@blp.response(200, schemas.Update(many=True))
@error_responses(blp, 503)
@blp.paginate(page_size=20, max_page_size=100)
def updates(
    query: dict[str, str], pagination_parameters: PaginationParameters
) -> list[dict[str, Any]]:
    """The ledger of updates, newest first"""
    services = current_services()
    pagination_parameters.item_count = services.ledger.count(**query)
    found = services.ledger.newest(
        skip=pagination_parameters.first_item, limit=pagination_parameters.page_size, **query
    )
    return [_with_source(update, services) for update in found]


@blp.post("/v1/updates")
@blp.doc(security=KEY_SECURITY)
@blp.response(202, schemas.Accepted)
@error_responses(blp, *RESTRICTED)
@restricted
@blp.arguments(schemas.IdempotencyHeader, location="headers")
def request_update(header: dict[str, str | None]) -> Response:
    """Request an update now, and follow it at its Location

    With an Idempotency-Key the request can be repeated safely when no response arrives: the same
    key returns the same update and the same Location, whichever process answers. An update that
    failed keeps its key; use a new key to request another. Every call counts towards the limit of
    calls per minute, repeated ones too.
    """
    services, key = current_services(), header["key"]
    name = _new_id() if key is None else _id_of(key)
    known = None if key is None else _entry(services, name)
    if known is None:
        _publish(services, name)
        _await_entry(services, name)
    body = {"id": name, "state": known["state"] if known else "received"}
    response = make_response(jsonify(body), 202)
    response.headers["Location"] = url_for("updates.one_update", update_id=name)
    return response


@blp.get("/v1/updates/<string(maxlength=64):update_id>")
@blp.response(200, schemas.Update)
@error_responses(blp, 404, 503)
def one_update(update_id: str) -> dict[str, Any]:
    """One update: its state, the times of its hops, its counts, skipped coins and why

    `latest` is the update that was received last.
    """
    services = current_services()
    update = services.ledger.get(update_id)
    if update is None and update_id == LATEST:
        update = next(iter(services.ledger.newest(limit=1)), None)
    if update is None:
        refuse(404, f"There is no update {update_id}")
    return _with_source(update, services)


@blp.post("/trigger-update")
@blp.doc(security=KEY_SECURITY)
@blp.response(200, Message)
@error_responses(blp, *RESTRICTED, 502, 504, schema=LegacyError)
@restricted
def trigger_update() -> dict[str, str]:
    """Request an update now, and wait until its quotes can be read"""
    services = current_services()
    name = _new_id()
    try:
        with services.waiters.place(name) as finished:
            _publish(services, name)
            update = wait_until_finished(lambda: services.ledger.get(name), finished, WAIT_SECONDS)
    except AtCapacity as error:
        refuse(503, f"{error}; try again in a few seconds")
    if update is None:
        refuse(
            504,
            f"Update {name} did not finish within {WAIT_SECONDS:.0f} s; see /v1/updates/{name}",
        )
    if update["state"] != "done":
        refuse(502, f"Update {name} failed: {update['error']}")
    return {"message": "Cryptocurrency stats updated successfully"}


def _new_id() -> str:
    return f"{REQUEST_PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def _id_of(key: str) -> str:
    # A digest, since an id in the ledger, on NATS and in a URL is short and plain.
    return f"{REQUEST_PREFIX}key-{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _publish(services: Services, name: str) -> None:
    if shortage := services.room.shortage():
        refuse(503, f"Nothing can be stored now: {shortage}")
    event = UpdateRequested(name, datetime.now(UTC))
    try:
        sequence = publish(services.nats, event, message_id=name, within=PUBLISH_SECONDS)
    except NotPublished as error:
        refuse(503, str(error))
    log.info("published", update=name, sequence=sequence)


def _await_entry(services: Services, name: str) -> None:
    """Waits until a process has recorded the event, so that its Location answers at once.

    At most a second: the event is safe in the stream, and will be recorded.
    """
    end = time.monotonic() + ENTRY_SECONDS
    while _entry(services, name) is None and time.monotonic() < end:
        time.sleep(POLL_SECONDS)


def _entry(services: Services, name: str) -> dict[str, Any] | None:
    """Returns the update, if the ledger has it and responds."""
    with suppress(PyMongoError):
        return services.ledger.get(name)
    return None


def _with_source(update: dict[str, Any], services: Services) -> dict[str, Any]:
    return update | {"source": update.get("source") or services.settings.source}
