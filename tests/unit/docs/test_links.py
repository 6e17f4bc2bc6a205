"""What a page links to is there, so that moving one shows which others have to follow."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from test_pages import SHOWN

CHECKOUT = Path(__file__).parents[3]
PAGE = CHECKOUT / "docs/guides/security.md"


@cache
def kept() -> list[Path]:
    """All files of the checkout that git tracks, and new ones."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for line in listed.stdout.splitlines() if (path := CHECKOUT / line).is_file()]


def pages() -> list[Path]:
    return [path for path in kept() if path.suffix == ".md"]


def prose(text: str) -> str:
    """A page without its blocks of code, in which neither brackets nor # mean anything."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """Where a page leads to in the checkout, as it is written there."""
    targets: list[str] = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(text)))
    return [link for link in targets if not re.match(r"[a-z]+:", link)]


def anchors(text: str) -> Iterator[str]:
    """What a link may have after its #: headings as GitHub names them, and our own."""
    yield from re.findall(r'<a id="([^"]+)">', prose(text))
    for heading in re.findall(r"^#+ (.+)$", prose(text), flags=re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        yield re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def broken(page: Path, text: str) -> Iterator[str]:
    for link in links(text):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve()
        if not target.exists():
            yield f"{page.relative_to(CHECKOUT)}: {link} is not there"
        elif anchor and anchor not in anchors(target.read_text() if path else text):
            yield f"{page.relative_to(CHECKOUT)}: {link} has no such heading"


def test_every_link_of_every_page_leads_somewhere() -> None:
    assert [problem for page in pages() for problem in broken(page, page.read_text())] == []


@pytest.mark.parametrize("link", ["nowhere.md", "repair.md#nothing", "#nothing", "../nowhere/"])
def test_a_link_to_nothing_is_found(link: str) -> None:
    text = f"# A title\n[there](repair.md#brakes), [here](#a-title), `[code](x)`, [a]({link})\n"
    assert [problem.partition(": ")[2].split()[0] for problem in broken(PAGE, text)] == [link]


def outside(page: Path, text: str) -> list[str]:
    """Links of a page that lead out of docs/."""
    docs = CHECKOUT / "docs"
    return [link for link in links(text) if docs not in (page.parent / link).resolve().parents]


def test_a_page_that_a_registry_shows_links_to_nothing_outside_of_docs() -> None:
    """There it is without the rest of the repository."""
    pages = [CHECKOUT / "docs/index.md", *SHOWN]
    assert len(pages) > 20
    assert {page.name: outer for page in pages if (outer := outside(page, page.read_text()))} == {}


def test_a_link_out_of_docs_is_found() -> None:
    out = ["../../README.md", "../../lab/README.md#set-up"]
    text = "".join(f"[a]({link})" for link in ["repair.md", "../index.md#fleet", "#a", *out])
    assert outside(PAGE, text) == out


def test_a_page_that_is_named_in_a_message_or_a_comment_is_there() -> None:
    named = [
        (path.relative_to(CHECKOUT), name)
        for path in kept()
        if path.suffix in {".py", ".tf", ".yaml", ".sh", ".md", ".tmpl"} or path.name == "Makefile"
        for name in re.findall(r"\bdocs/[-\w/]+\.(?:md\.tmpl|md|json|sh)\b", path.read_text())
    ]
    assert len(named) > 10
    assert [reference for reference in named if not (CHECKOUT / reference[1]).exists()] == []
