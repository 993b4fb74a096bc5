"""Defines the stored documents: schema, validation and indexes, with MongoEngine."""

from typing import ClassVar

from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    FloatField,
    IntField,
    ListField,
    StringField,
)

UPDATE_STATES = ("received", "running", "done", "failed", "missed")
UPDATE_TRIGGERS = ("schedule", "request", "event")
QUARANTINE_STATES = ("held", "released", "dropped")
COIN_STATES = ("active", "left", "missing", "retired")
REPAIR_STATES = ("waiting", "running", "done", "failed")

Meta = dict[str, object]


class QuoteKey(EmbeddedDocument):
    """A quote's identity, uniqueness and order at once: the collection is clustered by it."""

    coin = StringField(required=True, max_length=128)
    at = DateTimeField(required=True)  # the source's own last_updated


class StoredQuote(Document):
    """One price of one coin. Insert only, in bulk, through `market.storage.quote_store`.

    Never query it by `key__coin`: MongoEngine asks for `_id.coin`, which scans the collection.
    """

    key = EmbeddedDocumentField(QuoteKey, primary_key=True)
    price = FloatField(required=True, min_value=0)
    market_cap = FloatField(null=True)
    change_24h = FloatField(null=True)  # percent
    volume_24h = FloatField(null=True)
    source = StringField(required=True)
    recorded_at = DateTimeField(required=True)

    meta: ClassVar[Meta] = {"abstract": True}


class Quote(StoredQuote):
    """A price recorded live from the source."""

    meta: ClassVar[Meta] = {"collection": "quotes", "auto_create_index": False}


class RepairedQuote(StoredQuote):
    """A price that was missed live and taken from the source's history later."""

    resolution = IntField(required=True, min_value=1)  # seconds between the history's points

    meta: ClassVar[Meta] = {"collection": "repaired", "auto_create_index": False}


class QuarantinedQuote(Document):
    """An implausible quote, until it is released or dropped; see `market.ingest.quarantine`."""

    key = EmbeddedDocumentField(QuoteKey, primary_key=True)
    quote = DictField(required=True)  # the whole quote, as `market.model.quotes.Quote`
    held_by = StringField(required=True, max_length=64)  # the update that quarantined it
    doubt = StringField(required=True)
    state = StringField(required=True, choices=QUARANTINE_STATES)
    settled_by = StringField(null=True, max_length=64)
    settled_at = DateTimeField(null=True)
    evidence = StringField(null=True)

    meta: ClassVar[Meta] = {"collection": "held", "auto_create_index": False}


class Coin(Document):
    """The properties of a coin besides its prices; written only when one of them changes."""

    id = StringField(primary_key=True, max_length=128)
    name = StringField()
    symbol = StringField()
    rank = IntField(null=True)
    image = StringField(null=True)
    state = StringField(required=True, choices=COIN_STATES)
    successor = StringField(null=True)
    changes = ListField(DictField())  # at, what, old, new
    backfill_from = DateTimeField(null=True)  # where the first requested backfill begins

    meta: ClassVar[Meta] = {"collection": "coins", "auto_create_index": False}


class LatestQuotes(Document):
    """The latest quote of every coin, in one document that is read and replaced as a whole."""

    id = StringField(primary_key=True, choices=("latest",))
    version = IntField(required=True, min_value=1)  # grows with each replacement
    coins = ListField(DictField())  # coin, at, its prices, name, symbol, rank, source, recorded_at

    meta: ClassVar[Meta] = {"collection": "latest", "auto_create_index": False}


class CoinWatermark(Document):
    """How far a coin is rolled up and deleted; see `market.storage.watermarks`."""

    id = StringField(primary_key=True, max_length=128)
    until = DateTimeField(null=True)
    kept_from = DateTimeField(null=True)
    exact_from = DateTimeField(null=True)
    late = IntField(min_value=0)

    meta: ClassVar[Meta] = {"collection": "marks", "auto_create_index": False}


class Repair(Document):
    """A time range of a coin whose gaps are to be repaired; see `market.gap_repair.queue`."""

    id = StringField(primary_key=True)  # coin|start|end
    coin = StringField(required=True, max_length=128)
    start = DateTimeField(required=True)
    end = DateTimeField(required=True)
    priority = IntField(required=True)  # the lowest goes first
    state = StringField(required=True, choices=REPAIR_STATES)
    wanted_at = DateTimeField(required=True)
    finished_at = DateTimeField(null=True)
    not_before = DateTimeField(null=True)
    lease_until = DateTimeField(null=True)
    fence = IntField(required=True)  # grows with each claim
    tries = IntField(required=True)
    empty = IntField(null=True)  # slots without a quote before the repair
    mended = DictField()  # slots filled, by resolution
    error = StringField(null=True)

    meta: ClassVar[Meta] = {
        "collection": "repairs",
        "auto_create_index": False,
        "indexes": [
            ("state", "priority", "-start"),
            ("coin", "-wanted_at"),
            "-wanted_at",
        ],
    }


class Update(Document):
    """One update's entry in the ledger, which is also the inbox of events; see `market.ledger`."""

    id = StringField(primary_key=True, max_length=64)
    trigger = StringField(required=True, choices=UPDATE_TRIGGERS)
    slot = DateTimeField(null=True)
    state = StringField(required=True, choices=UPDATE_STATES)
    received_at = DateTimeField(required=True)
    finished_at = DateTimeField(null=True)
    not_before = DateTimeField(null=True)
    lease_until = DateTimeField(null=True)
    swept_at = DateTimeField(null=True)
    fence = IntField(required=True, default=0)  # grows with each claim
    tries = IntField(required=True, default=0)  # consecutive claims that did not finish
    worker = StringField(null=True)
    hops = DictField()  # step of the update's path: when it was reached
    counts = DictField()  # asked, answered, stored, unchanged, left_out, held, released, dropped
    left_out = ListField(DictField())  # coin, reason
    ticks = ListField(DictField())  # coin, at, price, state, reason
    error = StringField(null=True)
    source = StringField(null=True)  # of its quotes, if it is not the primary source
    parts = ListField(DictField())  # while it is open: the parts stored; see `market.ingest.chunks`
    waiting_since = DateTimeField(null=True)  # its first claim, or its newest part
    fetching_since = DateTimeField(null=True)  # everything it stored was fetched since
    early = BooleanField(null=True)  # it ended before its slot began, since a clock was ahead
    limited = BooleanField(null=True)  # it waits for the source's rate limit
    run = DictField()  # progress of the run with this `fence`: stage, share, counts
    number = IntField(null=True)  # of its end; the newest one if it was reopened
    numbers = ListField(IntField())  # of all its ends; no number is used twice

    meta: ClassVar[Meta] = {
        "collection": "updates",
        "auto_create_index": False,
        "indexes": [
            "-received_at",
            {"fields": ["-slot"], "partialFilterExpression": {"slot": {"$type": "date"}}},
            # The sweeper looks every 5 s for open updates, which are next to none.
            {
                "fields": ["state"],
                "partialFilterExpression": {"state": {"$in": ["received", "running"]}},
            },
            ("state", "trigger", "-received_at"),
            "number",
            {
                "fields": ["numbers"],
                "unique": True,
                "partialFilterExpression": {"numbers": {"$gt": 0}},
            },
        ],
    }
