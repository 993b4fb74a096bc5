"""A coin's statistics, with what they rest on."""

from marshmallow import Schema
from marshmallow.fields import Dict, Integer, Nested, String

from api.schemas.fields import COIN, Moment, Number

LOG_RETURN = "r = ln(price / price before)"


class Interval(Schema):
    """A confidence interval, and how it was made."""

    low = Number("Its lower end, in the collection's currency", 2653.1)
    high = Number("Its upper end, in the collection's currency", 6281.7)
    level = Number(
        "How often such intervals hold the true value: what the deviation of as many records in a "
        "row comes to on average (root mean square). Simulated for 100 records: 98 % for AR(1) "
        "prices with 0.5, 95 % with 0.9, 89 % for random walks",
        0.95,
    )
    method = String(
        metadata={
            "description": "deviation / f to deviation * f, f = exp(4.303 * error), where error "
            "is the deviation of the log deviations of the resamples; prices are drawn in blocks "
            "of neighbours since they hang together. The same records give the same interval",
            "example": "circular block bootstrap of the standard error of the log deviation, "
            "Student's t with blocks - 1 degrees of freedom",
        }
    )
    block_length = Integer(metadata={"description": "Records in a block", "example": 33})
    blocks = Integer(metadata={"description": "Blocks in a resample", "example": 3})
    resamples = Integer(metadata={"example": 1000})


class Statistics(Schema):
    """Measures of a coin's prices over its records; null where `notes` says why.

    Prices are in the collection's currency, as are the measures that do not say otherwise.
    """

    coin = String(metadata=COIN | {"description": "The id whose quotes these are"})
    source = String(
        allow_none=True,
        metadata={"description": "Of the newest record", "example": "coingecko"},
    )
    as_of = Moment("The source's own time of the newest record used")
    count = Integer(metadata={"description": "Records used", "example": 100})
    expected = Integer(
        allow_none=True,
        metadata={
            "description": "Slots of the schedule in the window; without one, from the oldest "
            "record to the newest, both counted",
            "example": 100,
        },
    )
    gaps = Integer(
        allow_none=True,
        metadata={
            "description": "Expected slots that no record is nearest to: the update failed or is "
            "still to come, or the source had no newer price",
            "example": 0,
        },
    )
    oldest = Moment("The source's own time of the oldest record used")
    newest = Moment("The source's own time of the newest record used")
    repaired = Integer(
        metadata={"description": "Records used that were repaired from history", "example": 0}
    )
    age_seconds = Number("Seconds since the newest record used; as of then with as_of", 42.0)

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
        "upper quartile, Rousseeuw and Croux 1993): for normal prices an estimate of the deviation",
        3953.6,
    )
    coefficient_of_variation = Number("Population deviation / mean, a share", 0.0907)
    volatility_period = Number(
        f"Sample deviation of the log returns, {LOG_RETURN}; a share a period", 0.0021
    )
    volatility_year = Number(
        "volatility_period * sqrt(365 days / period), from the real times of the records; "
        "a share a year. No forecast",
        0.393,
    )
    period_seconds = Number(
        "The period, in seconds: the mean step, (newest - oldest) / (count - 1)", 900.0
    )
    drawdown = Number(
        "The greatest (peak - price) / peak, with the highest price until then as the peak; "
        "a share from 0 to 1",
        0.2,
    )
    notes = Dict(
        keys=String(),
        values=String(),
        metadata={
            "description": "For each measure that is null, why",
            "example": {"volatility_year": "a volatility needs at least 3 records, there are 2"},
        },
    )
