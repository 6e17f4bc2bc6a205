"""The pages that a registry shows: made of the schema, complete, in the layout that it wants."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rpool.errors import Bug
from rpool_docs.pages import DOCS, PICTURES, TEMPLATES, Wrong, front_matter, made, stale, subjects
from rpool_docs.reference import Subject, reference
from rpool_provider.schema import (
    BOOL,
    STRING,
    List,
    Map,
    Object,
    Schema,
    computed,
    defaulted,
    optional,
    required,
)
from rpool_provider.wire import schemas

FOLDERS = ("resources", "data-sources", "ephemeral-resources", "functions", "guides")
SHOWN = sorted(path for folder in FOLDERS for path in (DOCS / folder).rglob("*"))


def test_what_is_made_is_up_to_date() -> None:
    assert list(stale(made())) == [], "run make generate"


def test_a_page_that_is_not_is_told() -> None:
    changed = made() | {DOCS / "index.md": "something else"}
    del changed[DOCS / "functions/gib.md"], changed[PICTURES / "show.svg"]
    reported = [line.split()[0] for line in stale(changed)]
    assert reported == ["docs/index.md", "docs/functions/gib.md", "docs/pictures/show.svg"]


def encoded(block: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every attribute and block of a schema as Terraform gets it, by its path."""
    for attribute in block.attributes:
        yield f"{at}{attribute.name}", attribute
        for inner in attribute.nested_type.attributes:
            yield f"{at}{attribute.name}.{inner.name}", inner
    for nested in block.block_types:
        yield f"{at}{nested.type_name}", nested
        yield from encoded(nested.block, f"{at}{nested.type_name}.")


def listed(page: str) -> Iterator[tuple[str, str]]:
    """Every attribute in a page, by its path, and what is said of it."""
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        parts = re.split(r"^### `(.+)`$", section, flags=re.MULTILINE)
        for heading, text in zip(["", *parts[1::2]], parts[::2], strict=True):
            at = f"{heading}." if heading else ""
            lines = re.findall(r"^- `(\w+)` \((.+?)\) ", text, flags=re.MULTILINE)
            yield from ((f"{at}{name}", notes) for name, notes in lines)


@pytest.mark.parametrize("page", sorted(subjects()))
def test_a_page_has_every_attribute_and_who_sets_it(page: str) -> None:
    schema = subjects()[page][1].schema
    documented = dict(listed((DOCS / f"{page}.md").read_text()))
    wanted = dict(encoded(schemas.encode(schema).block))
    typeless = {path for path in documented if path.startswith("fleet.")}
    assert documented.keys() - typeless == wanted.keys()
    assert bool(typeless) == (page == "index")
    for path, element in wanted.items():
        notes = documented[path].split(", ")
        assert ("sensitive" in notes) == getattr(element, "sensitive", False), path
        if hasattr(element, "required"):
            assert ("required" in notes) == element.required, path
            assert ("optional" in notes) == element.optional, path


def test_marks_types_and_defaults_of_a_schema() -> None:
    inner = Object((required("key", STRING, "A key.", replaces=True),))
    root = Object(
        (
            optional("tags", Map(List(STRING)), "Tags."),
            required("name", STRING, "Its name.", sensitive=True),
            optional("part", inner, "A part."),
            defaulted("on", BOOL, False, "Whether. Default `false`."),
            computed("id", STRING, "Its id."),
        )
    )
    page = reference(Subject(Schema(root, ""), {"tags"}, "another thing"))
    assert page.splitlines() == [
        "## Arguments",
        "",
        "A change of what is marked **replaces** makes another thing, visibly in the plan.",
        "A change of what is marked **fixed** is an error of the plan.",
        "All else changes in place: [what a change does](../guides/changes.md).",
        "",
        "- `name` (String, required, sensitive) Its name.",
        "- `tags` (Map of Lists of Strings, optional, **fixed**) Tags.",
        "- `part` (block, optional) A part. See [below](#part).",
        "- `on` (Boolean, optional) Whether. Default `false`.",
        "",
        '<a id="part"></a>',
        "### `part`",
        "",
        "- `key` (String, required, **replaces**) A key.",
        "",
        "## Attributes",
        "",
        "- `id` (String) Its id.",
    ]


def test_a_default_that_is_not_told_is_a_bug() -> None:
    root = Object((defaulted("time", STRING, "10m", "How long. Default `5m`."),))
    with pytest.raises(Bug, match="time"):
        reference(Subject(Schema(root, "")))


@pytest.mark.parametrize(
    "line",
    ["{{ schemas }}", "{{ mirrored nothing }}", "{{ signature }}", "{{ arguments x }}"],
)
def test_a_template_that_asks_for_nothing_that_is_made_is_told(line: str, tmp_path: Path) -> None:
    folder = shutil.copytree(TEMPLATES, tmp_path / "templates")
    (folder / "index.md.tmpl").write_text(f"# Title\n\n{line}\n")
    with pytest.raises(Wrong, match=r"docs/templates/index\.md\.tmpl, line 3: "):
        made(folder)


def test_something_new_without_a_page_is_told(tmp_path: Path) -> None:
    folder = shutil.copytree(TEMPLATES, tmp_path / "templates")
    (folder / "resources/node.md.tmpl").unlink()
    with pytest.raises(Wrong, match=r"write docs/templates/resources/node\.md\.tmpl"):
        made(folder)


@pytest.mark.parametrize("path", [DOCS / "index.md", *SHOWN], ids=lambda path: path.name)
def test_a_page_is_as_a_registry_wants_it(path: Path) -> None:
    """tfplugindocs asks for the same, and for nothing else of a page (`test_tfplugindocs.py`)."""
    assert path.suffix == ".md"
    text = path.read_text()
    head = front_matter(text)
    is_index = path.name == "index.md"
    assert head.keys() == {"page_title", "description"} | (set() if is_index else {"subcategory"})
    assert text.split("---\n", 2)[2].startswith("\n# ")
    assert len(text) < 500_000


def test_the_first_page_links_to_none() -> None:
    """A registry shows it at an address from which no relative link leads anywhere."""
    text = (DOCS / "index.md").read_text()
    assert re.findall(r"\]\((?!#)[^)]+\)", text) == []


def test_every_guide_is_in_the_lists_of_guides() -> None:
    names = {path.stem for path in (DOCS / "guides").glob("*.md")}
    readme = (DOCS / "README.md").read_text()
    assert set(re.findall(r"\]\(guides/([-\w]+)\.md\): ", readme)) == names
    index = (DOCS / "index.md").read_text()
    titles = {
        yaml.safe_load(p.read_text().split("---\n")[1])["page_title"]
        for p in (DOCS / "guides").glob("*.md")
    }
    assert set(re.findall(r"^- \*\*(.+)\*\*: ", index, flags=re.MULTILINE)) == titles


def test_the_application_of_the_first_guide_is_the_one_that_is_tried() -> None:
    example = DOCS.parent / "examples/terraform/one-cluster/web.yaml"
    assert f"```yaml\n{example.read_text()}```" in (DOCS / "guides/first-cluster.md").read_text()
