"""Pages made from templates: which there are, and what a template can ask for.

`X.md.tmpl` in `docs/templates/` makes `X.md` in `docs/`. A line of `{{ ... }}` alone is replaced:
`{{ schema }}`, `{{ signature }}` and `{{ description }}` by those of the page's subject;
`{{ changes }}`, `{{ mirrored manifests }}`, `{{ mirrored images }}`, `{{ examples }}`,
`{{ guides }}` and `{{ guides linked }}` by tables and lists. Pictures, in `docs/pictures/`, have
no template.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import yaml

from rpool_docs import mirrored
from rpool_docs.changes import REFUSED, changes
from rpool_docs.pictures import pictures
from rpool_docs.reference import Subject, reference, signature
from rpool_provider.functions import FUNCTIONS
from rpool_provider.provider import Provider
from rpool_provider.site_schema import FLEET

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"
PICTURES = DOCS / "pictures"
TEMPLATES = CHECKOUT / "docs/templates"
EXAMPLES = CHECKOUT / "examples/terraform"

_MADE_ANEW = {"rpool_cluster": "another cluster", "rpool_node": "another node"}


class Wrong(Exception):
    """A template asks for something unknown, or is missing. The text is for developers."""


def subjects() -> dict[str, tuple[str, Subject]]:
    """Title and subject of each page of reference, by the page's path."""
    kinds = (
        ("resources", "Resource", Provider.resource_schemas),
        ("data-sources", "Data Source", Provider.data_source_schemas),
        ("ephemeral-resources", "Ephemeral Resource", Provider.ephemeral_schemas),
    )
    pages = {"index": ("rpool Provider", Subject(Provider.schema, shapes={"fleet": FLEET}))}
    for folder, kind, schemas in kinds:
        for name, schema in schemas.items():
            is_managed = folder == "resources"
            subject = Subject(
                schema,
                REFUSED.get(name, ()) if is_managed else (),
                _MADE_ANEW[name] if is_managed else "",
            )
            pages[f"{folder}/{name.removeprefix('rpool_')}"] = (f"{name} ({kind})", subject)
    return pages


def functions() -> dict[str, str]:
    return {f"functions/{name}": name for name in FUNCTIONS}


def made(folder: Path = TEMPLATES) -> dict[Path, str]:
    """The text of every page and picture that is made, by its path. Raises Wrong."""
    templates = {_page(path, folder): path for path in sorted(folder.rglob("*.md.tmpl"))}
    if missing := sorted({*subjects(), *functions()} - templates.keys()):
        raise Wrong(f"there is a page to be made: write docs/templates/{missing[0]}.md.tmpl")
    pages = {DOCS / f"{page}.md": _make(page, path) for page, path in templates.items()}
    return pages | {PICTURES / name: text for name, text in pictures().items()}


def left_over(pages: Collection[Path]) -> list[Path]:
    """Files among the pages of reference and the pictures that are not made any more."""
    folders = ("resources", "data-sources", "ephemeral-resources", "functions", PICTURES.name)
    existing = {path for folder in folders for path in (DOCS / folder).glob("*")}
    return sorted(existing.difference(pages))


def guides() -> list[tuple[str, str, str]]:
    """Name, title and description of every guide, written or made."""
    texts = {path.stem: path.read_text() for path in (DOCS / "guides").glob("*.md")}
    templates = (TEMPLATES / "guides").glob("*.md.tmpl")
    texts |= {_page(path, TEMPLATES / "guides"): path.read_text() for path in templates}
    front_matters = {name: front_matter(text) for name, text in texts.items()}
    return [
        (name, fields["page_title"], fields["description"])
        for name, fields in sorted(front_matters.items())
    ]


def examples(page: str) -> str:
    """A list of links from a page to all examples, each with its first sentence. Raises Wrong."""
    up = "../" * (page.count("/") + 1)
    folders = sorted(path.parent for path in EXAMPLES.glob("*/main.tf"))
    return "\n".join(
        f"- [{f.name}]({up}{f.relative_to(CHECKOUT)}/main.tf): {_first_words(f / 'main.tf')}"
        for f in folders
    )


def _first_words(file: Path) -> str:
    """The first sentence of the comment with which a configuration begins. Raises Wrong."""
    comment = re.match(r"(?:#.*\n)+", file.read_text())
    if comment is None:
        raise Wrong(f"{file.relative_to(CHECKOUT)} has to begin with a comment: what it shows")
    words = " ".join(line.strip("# ") for line in comment[0].splitlines())
    return re.split(r"(?<=[.:]) ", words)[0].rstrip(":.") + "."


def front_matter(text: str) -> dict[str, str]:
    """The fields of a page's front matter; empty where it has none."""
    header = re.match(r"---\n(.*?)\n---\n", text, flags=re.DOTALL)
    return dict(yaml.safe_load(header[1])) if header else {}


def _page(template: Path, folder: Path) -> str:
    return str(template.relative_to(folder)).removesuffix(".md.tmpl")


def _make(page: str, template: Path) -> str:
    lines = template.read_text().splitlines()
    note = f"Made by `make generate` from docs/templates/{page}.md.tmpl: change that."
    start = f"<!-- {note} -->"
    if lines[0] == "---":
        lines[0] = f"---\n# {note}"
        start = ""
    elif page in subjects() or page in functions():
        start = _head(page, note)
    parts = [start] if start else []
    for number, line in enumerate(lines, 1):
        placeholder = re.fullmatch(r"\{\{ (.+) \}\}", line)
        try:
            parts.append(_asked(page, placeholder[1]) if placeholder else line)
        except Wrong as error:
            raise Wrong(f"docs/templates/{page}.md.tmpl, line {number}: {error}") from None
    return "\n".join(parts) + "\n"


def _head(page: str, note: str) -> str:
    """The front matter of a page of reference."""
    title = subjects()[page][0] if page in subjects() else f"{functions()[page]} (Function)"
    subcategory = {} if page == "index" else {"subcategory": ""}
    fields = {"page_title": title, **subcategory, "description": _description(page)}
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n# {note}\n{text}---\n"


def _description(page: str) -> str:
    if page in functions():
        return FUNCTIONS[functions()[page]].description
    if page in subjects():
        return subjects()[page][1].schema.description
    raise Wrong("this page is not about something that has a description")


def _asked(page: str, words: str) -> str:
    match words.split():
        case ["description"]:
            return _description(page)
        case ["schema"] if page in subjects():
            return reference(subjects()[page][1])
        case ["signature"] if page in functions():
            return signature(functions()[page], FUNCTIONS[functions()[page]])
        case ["changes"]:
            return changes()
        case ["mirrored", "manifests"]:
            return mirrored.manifests()
        case ["mirrored", "images"]:
            return mirrored.images()
        case ["examples"]:
            return examples(page)
        case ["guides"]:
            return "\n".join(f"- **{title}**: {text}" for _, title, text in guides())
        case ["guides", "linked"]:
            return "\n".join(f"- [{t}](guides/{name}.md): {text}" for name, t, text in guides())
    raise Wrong(f"{{{{ {words} }}}} is nothing that is made for this page")


def stale(pages: Mapping[Path, str]) -> Iterator[str]:
    """One line for each file that differs from what is made, or is not made any more."""
    for path, text in pages.items():
        if not path.exists() or path.read_text() != text:
            yield f"{path.relative_to(CHECKOUT)} is not what `make generate` makes"
    for path in left_over(pages):
        yield f"{path.relative_to(CHECKOUT)} is not made any more"
