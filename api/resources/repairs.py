"""GET and POST /v1/repairs: gap repairs, listed and requested."""

from datetime import UTC, datetime
from typing import Any

from flask_smorest.pagination import PaginationParameters

from api.errors import RESTRICTED, error_responses, refuse
from api.extensions import current_services
from api.lookup.coin_lookup import resolve_coin
from api.protection.auth import KEY_SECURITY, restricted
from api.schemas import repairs as schemas
from api.validation import Blueprint
from market.gap_repair.planner import backfill_start, repair_requests
from market.gap_repair.queue import STATES
from market.schedule.slots import Schedule, SlotGrid

blp = Blueprint("repairs", __name__, description="Gaps in the history, and their repair")

MAX_SLOTS = 40_000  # a year of quarter hours


@blp.get("/v1/repairs")
@blp.arguments(schemas.RepairQuery, location="query")
@blp.response(200, schemas.Repair(many=True))
@error_responses(blp, 503)
@blp.paginate(page_size=20, max_page_size=250)
def repairs(
    query: dict[str, str], pagination_parameters: PaginationParameters
) -> list[dict[str, Any]]:
    """Gap repairs, most recently found first

    KoinX fills the time before a coin's first quote, and slots whose update failed or was missed,
    from the source's own history, and marks these quotes as repaired. Where the source has no
    point, the gap remains.
    """
    services = current_services()
    which = {"coin": query.get("coin"), "state": query.get("state")}
    pagination_parameters.item_count = services.repairs.count(**which)
    found = services.repairs.newest(
        **which,
        skip=pagination_parameters.first_item,
        limit=pagination_parameters.page_size,
    )
    source = services.settings.source
    return [{**one, "missing": _missing(one), "source": source} for one in found]


@blp.post("/v1/repairs")
@blp.doc(security=KEY_SECURITY)
@blp.response(202, schemas.RepairsAccepted)
@error_responses(blp, *RESTRICTED, 404)
@restricted
@blp.arguments(schemas.RepairRequest)
def request_repairs(body: dict[str, Any]) -> dict[str, Any]:
    """Request the repair of gaps in some coins' history

    KoinX calls the source only within what its call budget leaves over. The same time range of
    the same coin is queued once.
    """
    services, now = current_services(), datetime.now(UTC)
    coins = list(dict.fromkeys(resolve_coin(services, coin) for coin in body["coins"]))
    start = body.get("from") or backfill_start(services.schedule, now)
    end = min(body.get("to") or now, services.schedule.current(now))
    _check(services.schedule, start, end)
    count = services.repairs.add(repair_requests(coins, (start, end)), now)
    return {"repairs": count, "start": start, "end": end}


@blp.get("/v1/repairs/progress")
@blp.response(200, schemas.RepairProgress)
@error_responses(blp, 503)
def repair_progress() -> dict[str, Any]:
    """Number of repairs that wait, run and finished, and since when they are paused"""
    services = current_services()
    counts = {state: services.repairs.count(state=state) for state in STATES}
    total = sum(counts.values())
    finished = counts["done"] + counts["failed"]
    progress = finished / total if total else None
    return {**counts, "progress": progress, "paused_since": services.repairs.paused_since()}


def _missing(repair: dict[str, Any]) -> int | None:
    if repair["empty"] is None:
        return None
    return int(repair["empty"] - sum(repair["mended"].values()))


def _check(schedule: Schedule, start: datetime, end: datetime) -> None:
    if start >= end:
        refuse(422, f"from is {start.isoformat()}: it must be before to, {end.isoformat()}")
    grid = SlotGrid(schedule, start, end)
    slots = grid.until(end) - grid.until(start)
    if slots > MAX_SLOTS:
        refuse(
            422,
            f"from {start.isoformat()} to {end.isoformat()} covers {slots} slots; "
            f"at most {MAX_SLOTS} are allowed",
        )
