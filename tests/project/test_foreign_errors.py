"""The text of an exception that others raise is written on only through `logs.redaction.plain`."""

import ast
import builtins
from collections.abc import Iterator

import pytest

from logs.redaction import LONGEST, know, plain
from settings import ROOT
from tests.harness.packages import modules

FILES = [path for path in modules() if path != ROOT / "logs/redaction.py"]
WRITERS = {"str", "repr", "format", "say", "complain", "print", "exit", "brief"}
LEVELS = {"debug", "info", "warning", "error", "critical"}


def own_classes() -> set[str]:
    """Names of the classes that are ours, whose texts are written by us."""
    found = {
        node.name
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    return found - set(dir(builtins))


TEXTS = {"args", "description", "message", "msg", "reason"}  # of an exception, by its attribute


def caught(handler: ast.ExceptHandler) -> Iterator[str]:
    """The classes that a handler names."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    for kind in kinds:
        yield kind.attr if isinstance(kind, ast.Attribute) else getattr(kind, "id", "?")


def foreign(tree: ast.AST, ours: set[str]) -> Iterator[tuple[ast.AST, str]]:
    """Where an exception of others has which name: handlers, and functions that are given one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.name:
            if not ours.issuperset(caught(node)):
                yield node, node.name
        elif isinstance(node, ast.FunctionDef):
            for argument in node.args.args:
                kind = ast.unparse(argument.annotation) if argument.annotation else ""
                if kind.endswith(("Exception", "Error")) and kind not in ours:
                    yield node, argument.arg


def written(scope: ast.AST, name: str) -> Iterator[int]:
    """The lines on which a text is made of the exception of that name."""
    for node in ast.walk(scope):
        texts: list[ast.expr] = []
        if isinstance(node, ast.FormattedValue):
            texts = [node.value]
        elif isinstance(node, ast.Call):
            function = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
            if function in WRITERS | LEVELS:
                texts = [*node.args, *(one.value for one in node.keywords if one.arg != "exc_info")]
        for text in texts:
            if isinstance(text, ast.Attribute) and text.attr in TEXTS:
                text = text.value  # noqa: PLW2901 - as good as the exception itself
            if isinstance(text, ast.Name) and text.id == name:
                yield text.lineno


@pytest.mark.row("secret-leak")
def test_no_text_of_another_s_exception_is_written_unmasked() -> None:
    ours = own_classes()
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in FILES
        for scope, name in foreign(ast.parse(file.read_text()), ours)
        for line in written(scope, name)
    ]
    assert found == []


@pytest.mark.row("secret-leak")
def test_the_mask_comes_before_the_cut_and_all_is_one_printable_line() -> None:
    secret = "CG-0123456789abcdef"
    know([secret])
    text = plain(ValueError("x" * (LONGEST - 5) + secret + "\n\x1b[31m"))
    assert secret[:4] not in text
    assert plain(ValueError(f"a\n{secret}\x1b[31m")) == "a …\\u001b[31m"
    assert plain(ValueError("y" * 1000)) == "y" * (LONGEST - 1) + "…"
    assert plain(TimeoutError()) == "TimeoutError"
