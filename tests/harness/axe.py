"""axe-core, the checker of accessibility, in the page that a test looks at."""

import base64
import hashlib
import io
import os
import sys
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page

VERSION = "4.14.1"
ADDRESS = f"https://registry.npmjs.org/axe-core/-/axe-core-{VERSION}.tgz"
INTEGRITY = (  # as `npm view axe-core@4.14.1 dist.integrity` says
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)
# Beside the packages that tests need.
KEPT = Path(sys.prefix) / f"axe-core-{VERSION}.tgz"


@cache
def script() -> str:
    """The checker's source; skips where it cannot be had, which in CI is a failure."""
    if not (KEPT.exists() and is_whole(KEPT.read_bytes())):
        try:
            with requests.get(ADDRESS, timeout=30) as answer:
                answer.raise_for_status()
                package = answer.content
        except requests.RequestException as error:
            missing = f"axe-core is not to be had: {error}"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
        assert is_whole(package), f"{ADDRESS} is not the package that INTEGRITY was made of"
        draft = KEPT.with_suffix(f".{os.getpid()}")
        draft.write_bytes(package)
        draft.replace(KEPT)
    with tarfile.open(fileobj=io.BytesIO(KEPT.read_bytes())) as files:
        source = files.extractfile("package/axe.min.js")
        assert source is not None
        return source.read().decode()


def is_whole(package: bytes) -> bool:
    """Whether these bytes are the pinned package."""
    digest = base64.b64encode(hashlib.sha512(package).digest()).decode()
    return f"sha512-{digest}" == INTEGRITY


def faults(page: Page) -> list[str]:
    """The serious and critical faults of a page as it stands: rule, element and reason."""
    page.evaluate(f"window.axe || (() => {{ {script()} }})()")
    found: list[dict[str, Any]] = page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)"
    )
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]}: {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
