"""Statistics of a coin, with their evidence."""

from marshmallow import Schema
from marshmallow.fields import Dict, Integer, Nested, String

from api.schemas.fields import (
    COIN,
    DurationParam,
    IncludeParam,
    IntegerParam,
    Number,
    Timestamp,
    TimestampParam,
    described,
)

MAX_RECORDS = 10_000
LOG_RETURN = "r = ln(price / previous price)"


class RecordWindowQuery(Schema):
    """Which records: a coin's newest, or those of a window; as known now or at an earlier time."""

    records = IntegerParam(
        f"How many of the newest records, 1 to {MAX_RECORDS}; 100 unless a window is given. "
        "With a window, its newest",
        least=1,
        most=MAX_RECORDS,
        example=100,
    )
    window = DurationParam(
        f"The records of the last minutes, hours or days; at most {MAX_RECORDS} records",
        example="24h",
    )
    include = IncludeParam(
        "with records that were repaired from history, for slots in which none was recorded"
    )
    as_of = TimestampParam(
        "Answer as at this time: from the records stored until then, with windows that end there. "
        "A future time means now",
        example="2100-01-01T00:00:00Z",
    )


class Interval(Schema):
    """A confidence interval and its method."""

    low = Number("Its lower end, in the stored currency", 2653.1)
    high = Number("Its upper end, in the stored currency", 6281.7)
    level = Number(
        "How often such intervals contain the true value: the average (root mean square) deviation "
        "of as many consecutive records. Simulated for 100 records: 98 % for AR(1) "
        "prices with 0.5, 95 % with 0.9, 89 % for random walks",
        0.95,
    )
    method = String(
        metadata=described(
            "deviation / f to deviation * f, f = exp(4.303 * error), where error "
            "is the deviation of the log deviations of the resamples; prices are drawn in blocks "
            "of neighbours because they are correlated. The same records give the same interval",
            "circular block bootstrap of the standard error of the log deviation, "
            "Student's t with blocks - 1 degrees of freedom",
        )
    )
    block_length = Integer(metadata=described("Records in a block", 33))
    blocks = Integer(metadata=described("Blocks in a resample", 3))
    resamples = Integer(metadata={"example": 1000})


class Statistics(Schema):
    """Measures of a coin's prices over its records; null where `notes` says why.

    Prices are in the stored currency, as are the measures that do not say otherwise.
    """

    coin = String(metadata=COIN | {"description": "The id whose quotes were used"})
    source = String(
        allow_none=True,
        metadata=described("Of the newest record", "coingecko"),
    )
    as_of = Timestamp("The source's time of the newest record used")
    count = Integer(metadata=described("Records used", 100))
    expected = Integer(
        allow_none=True,
        metadata=described(
            "Slots of the schedule in the window; without one, from the oldest "
            "record to the newest, inclusive",
            100,
        ),
    )
    gaps = Integer(
        allow_none=True,
        metadata=described(
            "Expected slots without a nearest record: the update failed or is "
            "still to come, or the source had no newer price",
            0,
        ),
    )
    oldest = Timestamp("The source's time of the oldest record used")
    newest = Timestamp("The source's time of the newest record used")
    repaired = Integer(metadata=described("Records used that were repaired from history", 0))
    age_seconds = Number("Seconds from the newest record used to now, or to as_of", 42.0)

    mean = Number("Arithmetic mean", 45000.0)
    median = Number("The middle price, or the mean of the middle two", 44980.5)
    min = Number("The lowest price", 40000.0)
    max = Number("The highest price", 50000.0)
    deviation = Number(
        "Population standard deviation, sqrt(sum((x - mean)^2) / n); of one record 0", 4082.48
    )
    sample_deviation = Number(
        "Sample standard deviation, sqrt(sum((x - mean)^2) / (n - 1))", 5000.0
    )
    deviation_interval = Nested(
        Interval,
        allow_none=True,
        metadata={
            "description": "Confidence interval of the population deviation, from 20 records on"
        },
    )
    mad = Number(
        "Median absolute deviation from the median, times 1.4826 (1 / the normal distribution's "
        "upper quartile, Rousseeuw and Croux 1993): for normally distributed prices it estimates "
        "the deviation",
        3953.6,
    )
    coefficient_of_variation = Number("Population deviation / mean, a share", 0.0907)
    volatility_period = Number(
        f"Sample deviation of the log returns, {LOG_RETURN}; a share per period", 0.0021
    )
    volatility_year = Number(
        "volatility_period * sqrt(365 days / period), from the actual times of the records; "
        "a share per year. Not a forecast",
        0.393,
    )
    period_seconds = Number(
        "The period, in seconds: the mean step, (newest - oldest) / (count - 1)", 900.0
    )
    drawdown = Number(
        "Maximum of (peak - price) / peak, where the peak is the highest price until then; "
        "a share from 0 to 1",
        0.2,
    )
    notes = Dict(
        keys=String(),
        values=String(),
        metadata={
            "description": "For each null measure, the reason",
            "example": {"volatility_year": "a volatility needs at least 3 records, there are 2"},
        },
    )
