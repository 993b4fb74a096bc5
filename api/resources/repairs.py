"""The mending of history over HTTP: listed, watched and asked for."""

from datetime import UTC, datetime
from typing import Any

from flask.views import MethodView
from flask_smorest.pagination import PaginationParameters

from api.blueprint import Blueprint
from api.errors import CHANGES, error_responses, refuse
from api.extensions import services
from api.lookup.coin_lookup import answering
from api.protection.auth import restricted
from api.schemas import repairs as schemas
from market.gap_repair.planner import backfill_start, repair_requests
from market.gap_repair.queue import STATES
from market.schedule.slots import Schedule, SlotGrid

blp = Blueprint("repairs", __name__, description="Gaps in the history, and their mending")

MOST_SLOTS = 40_000  # a year of quarters of an hour
KEY: list[dict[str, list[str]]] = [{"apiKey": []}, {}]


@blp.route("/v1/repairs")
class Repairs(MethodView):
    """All repairs."""

    @blp.arguments(schemas.RepairQuery, location="query")
    @blp.response(200, schemas.Repair(many=True))
    @error_responses(blp, 503)
    @blp.paginate(page_size=20, max_page_size=250)
    def get(
        self, query: dict[str, str], pagination_parameters: PaginationParameters
    ) -> list[dict[str, Any]]:
        """Stretches of history that were missing, those found last first

        The time before a coin's first quote, and slots whose update failed or was missed, are
        filled from the source's own history, and marked as repaired. What it has no point for
        stays a gap.
        """
        on = services()
        which = {"coin": query.get("coin"), "state": query.get("state")}
        pagination_parameters.item_count = on.repairs.count(**which)
        found = on.repairs.newest(
            **which,
            skip=pagination_parameters.first_item,
            limit=pagination_parameters.page_size,
        )
        return [{**one, "missing": _missing(one), "source": on.settings.source} for one in found]

    @blp.doc(security=KEY)
    @blp.response(202, schemas.RepairsAccepted)
    @error_responses(blp, *CHANGES, 404)
    @restricted
    @blp.arguments(schemas.RepairRequest)
    def post(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Ask for a stretch of some coins' history to be looked through and mended

        Calls to the source are made only as its limits leave them over; the same stretch of the
        same coin is entered once.
        """
        on, now = services(), datetime.now(UTC)
        coins = list(dict.fromkeys(answering(on, coin) for coin in wish["coins"]))
        start = wish.get("from") or backfill_start(on.schedule, now)
        end = min(wish.get("to") or now, on.schedule.current(now))
        _check(on.schedule, start, end)
        count = on.repairs.add(repair_requests(coins, (start, end)), now)
        return {"repairs": count, "start": start, "end": end}


@blp.route("/v1/repairs/progress")
class RepairProgress(MethodView):
    """All repairs together."""

    @blp.response(200, schemas.RepairProgress)
    @error_responses(blp, 503)
    def get(self) -> dict[str, Any]:
        """How many repairs wait, run, and ended; and since when they are paused, if they are"""
        on = services()
        counts = {state: on.repairs.count(state=state) for state in STATES}
        total = sum(counts.values())
        ended = counts["done"] + counts["failed"]
        return {
            **counts,
            "progress": ended / total if total else None,
            "paused_since": on.repairs.paused_since(),
        }


def _missing(repair: dict[str, Any]) -> int | None:
    if repair["empty"] is None:
        return None
    return int(repair["empty"] - sum(repair["mended"].values()))


def _check(schedule: Schedule, start: datetime, end: datetime) -> None:
    if start >= end:
        refuse(422, f"from is {start.isoformat()}: it must lie before to, {end.isoformat()}")
    grid = SlotGrid(schedule, start, end)
    slots = grid.until(end) - grid.until(start)
    if slots > MOST_SLOTS:
        refuse(
            422,
            f"from {start.isoformat()} to {end.isoformat()} are {slots} slots; "
            f"allowed are {MOST_SLOTS} at once",
        )
