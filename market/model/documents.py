"""What is kept in MongoDB, as MongoEngine documents."""

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
TICK_STATES = ("held", "released", "dropped")
COIN_STATES = ("active", "left", "missing", "retired")


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

    meta: ClassVar[dict[str, object]] = {"abstract": True}


class Quote(StoredQuote):
    """A price as the source gave it in its time."""

    meta: ClassVar[dict[str, object]] = {"collection": "quotes", "auto_create_index": False}


class RepairedQuote(StoredQuote):
    """A price that was not recorded in its time, but taken from the source's history later."""

    resolution = IntField(required=True, min_value=1)  # seconds between the history's points

    meta: ClassVar[dict[str, object]] = {"collection": "repaired", "auto_create_index": False}


class QuarantinedQuote(Document):
    """A quote that was not credible, until it is released or dropped. Its life: `held`."""

    key = EmbeddedDocumentField(QuoteKey, primary_key=True)
    quote = DictField(required=True)  # all that the source said, as `market.model.quotes.Quote`
    held_by = StringField(required=True, max_length=64)  # an update
    doubt = StringField(required=True)
    state = StringField(required=True, choices=TICK_STATES)
    settled_by = StringField(null=True, max_length=64)
    settled_at = DateTimeField(null=True)
    evidence = StringField(null=True)

    meta: ClassVar[dict[str, object]] = {"collection": "held", "auto_create_index": False}


class Coin(Document):
    """What is known of a coin beside its prices; written only when something of it changes."""

    id = StringField(primary_key=True, max_length=128)
    name = StringField()
    symbol = StringField()
    rank = IntField(null=True)
    image = StringField(null=True)
    state = StringField(required=True, choices=COIN_STATES)
    successor = StringField(null=True)
    changes = ListField(DictField())  # at, what, old, new
    backfill_from = DateTimeField(null=True)  # from when on its history was wanted at first

    meta: ClassVar[dict[str, object]] = {"collection": "coins", "auto_create_index": False}


class Update(Document):
    """One update's entry in the ledger, which is the inbox of events too. Its life: `ledger`."""

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
    tries = IntField(required=True, default=0)  # claims in a row that came to no end
    worker = StringField(null=True)
    hops = DictField()  # name of the hop: when it was reached
    counts = DictField()  # asked, answered, stored, unchanged, left_out, held, released, dropped
    left_out = ListField(DictField())  # coin, reason
    ticks = ListField(DictField())  # coin, at, price, state, reason
    error = StringField(null=True)
    source = StringField(null=True)  # of its quotes, when it is not the first one
    parts = ListField(DictField())  # while it is open: what was stored of it. Their form: `parts`
    waiting_since = DateTimeField(null=True)  # its first claim, or its newest part
    fetching_since = DateTimeField(null=True)  # all that it has stored was fetched since
    early = BooleanField(null=True)  # it ended before its slot began: a clock ran ahead
    limited = BooleanField(null=True)  # it waits for the source, which limits the calls
    run = DictField()  # what the run with this `fence` says of itself: stage, share, counts
    number = IntField(null=True)  # of its end, its newest one if it was opened again
    numbers = ListField(IntField())  # of all its ends: no number is given twice

    meta: ClassVar[dict[str, object]] = {"collection": "updates", "auto_create_index": False}
