"""Renders Markdown as Dash components."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dash import dcc, html
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from dash_ui.components.elements import aria

# Raw HTML stays text, so that no document can add markup to a page.
PARSER = MarkdownIt("commonmark", {"html": False}).enable("table")
NOT_IN_SLUGS = re.compile(r"[^\w\- ]")
PLAIN: dict[str, Any] = {
    "paragraph": html.P,
    "strong": html.Strong,
    "em": html.Em,
    "blockquote": html.Blockquote,
    "bullet_list": html.Ul,
    "ordered_list": html.Ol,
    "list_item": html.Li,
    "hr": html.Hr,
    "thead": html.Thead,
    "tbody": html.Tbody,
    "tr": html.Tr,
    "th": html.Th,
    "td": html.Td,
}
HEADINGS: dict[str, Any] = {f"h{size}": getattr(html, f"H{size}") for size in range(1, 7)}


@dataclass(frozen=True, slots=True)
class Target:
    """A link's target; `is_page` if it is a page of this dashboard."""

    address: str
    is_page: bool = False


Resolve = Callable[[str], Target]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading's level (1 to 6), text and anchor."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Document:
    """A rendered text."""

    headings: list[Heading] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)


def rendered(text: str, resolve: Resolve) -> Document:
    """`text` as components; `resolve` maps the target of each link and image."""
    document = Document()
    render = _Renderer(document.headings, resolve)
    root = SyntaxTreeNode(PARSER.parse(text))
    document.parts.extend(render.one(node) for node in root.children)
    return document


def slug(text: str) -> str:
    """A heading's anchor, made as GitHub makes it, so that links work in both places."""
    return NOT_IN_SLUGS.sub("", text.lower()).replace(" ", "-")


class _Renderer:
    def __init__(self, headings: list[Heading], resolve: Resolve) -> None:
        self._headings = headings
        self._resolve = resolve

    def one(self, node: SyntaxTreeNode) -> Any:
        """A node's component; AttributeError for a node type without one."""
        if node.type in PLAIN:
            return PLAIN[node.type](self._inside(node))
        return getattr(self, f"_{node.type}")(node)

    def _inside(self, node: SyntaxTreeNode) -> list[Any]:
        found = [self.one(child) for child in node.children]
        return [one for one in found if one != ""]

    def _inline(self, node: SyntaxTreeNode) -> Any:
        found = self._inside(node)
        return found[0] if len(found) == 1 else html.Span(found)

    def _text(self, node: SyntaxTreeNode) -> str:
        return node.content

    def _softbreak(self, _node: SyntaxTreeNode) -> str:
        return " "

    def _hardbreak(self, _node: SyntaxTreeNode) -> html.Br:
        return html.Br()

    def _code_inline(self, node: SyntaxTreeNode) -> html.Code:
        return html.Code(node.content)

    def _fence(self, node: SyntaxTreeNode) -> html.Pre:
        # It scrolls sideways, so the keyboard must be able to reach it.
        return html.Pre(html.Code(node.content), className="guide-code", tabIndex=0)

    _code_block = _fence

    def _table(self, node: SyntaxTreeNode) -> html.Div:
        table = html.Table(self._inside(node), className="table table-sm")
        about = self._headings[-1].text if self._headings else ""
        label = aria(label=f"Table, {about}".strip(", "))
        return html.Div(table, className="guide-table", tabIndex=0, role="region", **label)

    def _heading(self, node: SyntaxTreeNode) -> Any:
        text = _words(node)
        anchor = self._free(slug(text))
        self._headings.append(Heading(int(node.tag[1]), text, anchor))
        # The whole heading is the link: a screen reader would read a separate link as part of it.
        link = html.A(self._inside(node), href=f"#{anchor}", className="guide-anchor")
        return HEADINGS[node.tag](link, id=anchor)

    def _free(self, anchor: str) -> str:
        taken = {heading.anchor for heading in self._headings}
        return next(
            name
            for name in (anchor, *(f"{anchor}-{n}" for n in range(1, len(taken) + 2)))
            if name not in taken
        )

    def _link(self, node: SyntaxTreeNode) -> Any:
        target = self._resolve(str(node.attrs["href"]))
        # A link between pages does not reload the scripts.
        link = dcc.Link if target.is_page else html.A
        return link(self._inside(node), href=target.address)

    def _image(self, node: SyntaxTreeNode) -> html.Img:
        return html.Img(src=self._resolve(str(node.attrs["src"])).address, alt=node.content)


def _words(node: SyntaxTreeNode) -> str:
    if node.type in ("text", "code_inline"):
        return node.content
    return "".join(_words(child) for child in node.children)
