"""A request of the API that the reader can repeat in a shell."""

from dash import html

from dash_ui.components.aria import aria


def copyable(id: str, what: str) -> html.Details:
    """A fold with the request as curl, empty, and a button that copies it."""
    return html.Details(
        [
            html.Summary(f"The request for {what}"),
            html.Code(id=id, className="koinx-curl"),
            html.Button(
                "Copy as curl",
                type="button",
                className="btn btn-sm btn-outline-secondary koinx-copy",
                **aria(label=f"Copy as curl: the request for {what}", controls=id),
            ),
            html.Span(role="status", className="small ms-2"),
        ],
        className="small mb-2",
    )
