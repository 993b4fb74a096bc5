"""Which guides there are, and where their links lead."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from dash_ui.pages.docs.documents import FILES, LINKED, PAGE, Guides, UnknownGuide
from settings import ROOT


@pytest.fixture(scope="module")
def guides() -> Guides:
    return Guides(ROOT)


def addresses(component: Any) -> list[str]:
    """Every link and image of a component and what is in it."""
    if isinstance(component, list):
        return [one for part in component for one in addresses(part)]
    found = [getattr(component, name, None) for name in ("href", "src")]
    inside = addresses(component.children) if hasattr(component, "children") else []
    return [one for one in found if isinstance(one, str)] + inside


def test_the_readme_comes_first_and_every_file_of_docs_follows(guides: Guides) -> None:
    found = {guide.name: guide.title for guide in guides.all()}
    assert list(found) == ["", *sorted(file.stem for file in (ROOT / "docs").glob("*.md"))]
    assert found[""] == "KoinX"
    assert found["api"] == "The API"


def test_decisions_and_the_texts_beside_the_readme_can_be_read_too(guides: Guides) -> None:
    assert {"contributing", "security", "changelog", "0002-ledger-as-inbox"} <= set(guides.names())
    assert guides.read("contributing").title == "Contributing"
    links = addresses(guides.read("architecture").document.parts)
    assert "/guide/0002-ledger-as-inbox" in links


def test_no_link_of_a_guide_is_dead(guides: Guides) -> None:
    app = Flask("guides")
    guides.serve_files(app)
    for guide in map(guides.read, guides.names()):
        for leads in addresses(guide.document.parts):
            path, _, anchor = leads.partition("#")
            if leads.startswith(FILES):
                with app.test_client().get(leads) as answer:
                    assert answer.status_code == 200, leads
            elif path.startswith(PAGE) or not path:
                there = guides.read(path.removeprefix(PAGE).strip("/")) if path else guide
                anchors = {one.anchor for one in there.document.headings}
                assert not anchor or anchor in anchors, leads
            else:
                assert path.startswith(("http://", "https://")), leads


def test_links_are_read_from_where_they_stand(guides: Guides) -> None:
    readme = addresses(guides.read("").document.parts)
    assert {"/guide/api", f"{FILES}/.env.example", f"{FILES}/docs/dashboard.png"} <= set(readme)
    api = addresses(guides.read("api").document.parts)
    assert {"/guide/history", f"{FILES}/docs/openapi.json"} <= set(api)


@pytest.mark.parametrize("name", ["nothing", "../README", "/etc/passwd", "docs/api", "README"])
def test_there_is_no_other_guide(guides: Guides, name: str) -> None:
    with pytest.raises(UnknownGuide):
        guides.read(name)


@pytest.mark.parametrize(
    ("name", "status", "mimetype"),
    [
        ("docs/dashboard.png", 200, "image/png"),
        ("docs/openapi.json", 200, "application/json"),
        (".env.example", 200, "text/plain"),
        (".env", 404, None),
        ("pyproject.toml", 404, None),
        ("docs%2F..%2F.env", 404, None),
        ("..%2Fetc%2Fpasswd", 404, None),
    ],
)
def test_no_other_file_is_served(
    guides: Guides, name: str, status: int, mimetype: str | None
) -> None:
    app = Flask("guides")
    guides.serve_files(app)
    with app.test_client().get(f"{FILES}/{name}") as answer:
        assert answer.status_code == status
        assert mimetype in (None, answer.mimetype)


def test_where_the_texts_are_missing_there_are_none(tmp_path: Path) -> None:
    guides = Guides(tmp_path)
    assert guides.all() == []
    with pytest.raises(UnknownGuide):
        guides.read("")


def test_the_image_of_docker_holds_the_texts() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()}
    assert {"README.md", ".env.example", "docs", *LINKED} <= copied
