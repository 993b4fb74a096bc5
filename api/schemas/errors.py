"""The one form of an error."""

from marshmallow import Schema
from marshmallow.fields import Dict, Integer, String


class Error(Schema):
    """Any error."""

    code = Integer(required=True, metadata={"example": 400})
    status = String(required=True, metadata={"example": "Bad Request"})
    message = String(required=True, metadata={"example": "Coin parameter is required"})
    errors = Dict(required=True)


class LegacyError(Error):
    """An error of the seed's endpoints."""

    error = String(required=True, metadata={"example": "Coin parameter is required"})
