"""Tables. A terminal wraps the last column; in a pipe each row is one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

from rpool.errors import one_line

_NO_LIMIT = 10_000


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _NO_LIMIT
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        grid.add_column(heading, no_wrap=heading != headings[-1], overflow="fold")
    for row in rows:
        grid.add_row(*map(one_line, row))
    with console.capture() as printed:
        console.print(grid)
    for line in printed.get().splitlines():
        yield line.rstrip()
