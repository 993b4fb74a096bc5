"""What fields of several resources are made of."""

from marshmallow.fields import AwareDateTime, Float

COIN = {"example": "bitcoin"}


class Number(Float):
    """A finite number, as it is: null where there is none."""

    def __init__(self, description: str, example: float) -> None:
        metadata = {"description": description, "example": example}
        super().__init__(allow_none=True, required=True, metadata=metadata)


class Moment(AwareDateTime):
    """A time in UTC, ISO-8601."""

    def __init__(self, description: str, *, allow_none: bool = True) -> None:
        metadata = {"description": description, "example": "2026-11-22T08:30:00+00:00"}
        super().__init__(format="iso", allow_none=allow_none, metadata=metadata)
