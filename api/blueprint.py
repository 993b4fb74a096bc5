"""flask-smorest's blueprint, with a bound on what comes in."""

from collections.abc import Callable
from typing import Any

import flask_smorest
from marshmallow.validate import Range

from api.request_parsing import JsonBodyParser

MAX_PAGE = 1_000_000  # with 250 a page far inside what MongoDB can skip, 2^63 - 1


class Blueprint(flask_smorest.Blueprint):
    """A blueprint whose pages are bounded and whose pagination header is documented as sent."""

    ARGUMENTS_PARSER = JsonBodyParser()

    def paginate(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """As flask-smorest's; a page beyond a million is refused with a 422."""
        decorator = super().paginate(*args, **kwargs)

        def bounded(view: Callable[..., Any]) -> Any:
            paged = decorator(view)
            schema = paged._apidoc["pagination"]["parameters"]["schema"]
            schema._declared_fields["page"].validators[:] = [Range(min=1, max=MAX_PAGE)]
            return paged

        return bounded

    def _document_pagination_metadata(self, spec: Any, resp_doc: dict[str, Any]) -> None:
        # flask-smorest documents an object; what goes over the wire is its JSON text.
        del spec
        resp_doc.setdefault("headers", {})[self.PAGINATION_HEADER_NAME] = {
            "description": "As a JSON object: total, total_pages, first_page, last_page, page, "
            "previous_page, next_page",
            "schema": {"type": "string", "contentMediaType": "application/json"},
        }
