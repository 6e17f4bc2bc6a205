"""A cluster among the servers of its site, by zone: the same picture as text and as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from textwrap import wrap

from rpool.cli.state import is_well, place_of, state_of
from rpool.errors import one_line
from rpool.flow.survey import Clustered, Survey
from rpool.model.pool import DEFAULT_GROUP
from rpool.model.seen import Requested
from rpool.model.server import Role

_CELLS = 10
_CELLS_WIDTH = _CELLS + len("[] 100 %")
_WIDTH, _HEIGHT, _GROUP_HEIGHT, _GAP, _TOP = 200, 58, 14, 8, 84
_LEAST_WIDTH = 640
"""The width that the titles need."""

_BAR = _WIDTH - 74
_NAME, _WORDS, _LINES = 15, 30, 2
"""What fits into a box: characters of a name, characters of a line of words, such lines."""

_LEGEND = {
    Role.CONTROL_PLANE.value: "control plane",
    Role.WORKER.value: "worker",
    "bad": "unhealthy",
    "spare": "spare",
    "other": "unavailable",
}
_LEGEND_WIDTH, _LEGEND_HEIGHT = 114, 18

# Colours are written out twice: many programs that show SVG do not know CSS variables.
_STYLE = """
  text { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1b1f24; }
  .zone { font-weight: bold; }
  text.small { font-size: 10px; }
  .paper, .box, .key { fill: #ffffff; }
  .box, .key { stroke-width: 2; }
  .control_plane { stroke: #0969da; } .worker { stroke: #1a7f37; } .bad { stroke: #cf222e; }
  .spare { stroke: #8c959f; stroke-dasharray: 4 3; } .other { stroke: #d8dee4; }
  .empty { fill: #eaeef2; } .full { fill: #1a7f37; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .paper, .box, .key { fill: #0d1117; }
    .control_plane { stroke: #58a6ff; } .worker { stroke: #3fb950; } .bad { stroke: #ff7b72; }
    .spare { stroke: #6e7681; } .other { stroke: #30363d; }
    .empty { fill: #21262d; } .full { fill: #3fb950; }
  }
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """A server in the picture. `kind` is its role in the cluster, `spare`, or `other`. `is_bad`: it
    is the cluster's, and not well. `cores_used` and `memory_used`: how much of its node's
    allocatable pods request, as a share; None when unknown. `group`: that of the cluster's
    workers; empty for all other servers.
    """

    name: str
    zone: str
    cores: int
    memory_gib: int
    kind: str
    state: str
    is_bad: bool = False
    cores_used: float | None = None
    memory_used: float | None = None
    group: str = ""


def slots(
    survey: Survey, cluster: Clustered, requested: Mapping[str, Requested] | None
) -> list[Slot]:
    """Every server of the site, by zone and name. `requested` is None when unknown."""
    picture = []
    servers = sorted(survey.fleet.servers.values(), key=lambda server: (server.zone, server.name))
    for server in servers:
        place, state = place_of(server.name, survey), str(state_of(server, survey))
        kind = "spare" if state.startswith("spare") else "other"
        used: tuple[float | None, float | None] = (None, None)
        is_bad, group = False, ""
        if place is not None and place.uid == cluster.uid:
            kind, is_bad = place.role.value, not is_well(server.name, survey)
            used = _used(server.name, cluster, requested)
            group = place.group if place.role is Role.WORKER else ""
        elif place is not None:
            state = f"cluster {place.cluster}"
        size = (server.cores, server.memory_gib)
        picture.append(Slot(server.name, server.zone, *size, kind, state, is_bad, *used, group))
    return picture


def _used(
    name: str, cluster: Clustered, requested: Mapping[str, Requested] | None
) -> tuple[float | None, float | None]:
    node = (cluster.nodes or {}).get(name)
    if node is None or requested is None:
        return None, None
    requests = requested.get(name, Requested())
    cores, memory_gib = node.allocatable_cores, node.allocatable_memory_gib
    return (
        requests.cores / cores if cores else None,
        requests.memory_gib / memory_gib if memory_gib else None,
    )


def as_text(picture: Iterable[Slot]) -> Iterator[str]:
    """A line for each server, below its zone."""
    every = list(picture)
    width = max((len(slot.name) for slot in every), default=0)
    has_bars = any(slot.cores_used is not None for slot in every)
    kinds = max((len(_role(slot)) for slot in every), default=0)
    for zone, in_zone in groupby(every, key=lambda slot: slot.zone):
        yield zone
        for slot in in_zone:
            size = f"{slot.cores:>4} cores {slot.memory_gib:>5} GiB"
            kind = _role(slot)
            bars = f"  {_bars(slot)}" if has_bars else ""
            note = "" if slot.state == kind else f"  {one_line(slot.state)}"
            yield f"  {slot.name:{width}}  {size}  {kind:{kinds}}{bars}{note}".rstrip()


def _role(slot: Slot) -> str:
    """The role of a server, with its group where that is a further one, as in `rpool list`."""
    if slot.kind not in (*Role, "spare"):
        return "-"
    return f"{slot.kind} ({group})" if (group := _further_group(slot)) else slot.kind


def _further_group(slot: Slot) -> str:
    """The group of a worker; "" for the default group, which holds workers of no named one."""
    return "" if slot.group == DEFAULT_GROUP else one_line(slot.group)


def _bars(slot: Slot) -> str:
    if slot.cores_used is None:
        return " " * (2 * _CELLS_WIDTH + 1)
    return f"{_cells(slot.cores_used)} {_cells(slot.memory_used)}"


def _cells(share: float | None) -> str:
    """`[####......]  41 %`"""
    if share is None:
        return f"{'?':>{_CELLS_WIDTH}}"
    full = min(_CELLS, round(share * _CELLS))
    return f"[{'#' * full}{'.' * (_CELLS - full)}] {share * 100:>3.0f} %"


def as_svg(titles: Sequence[str], picture: Iterable[Slot]) -> Iterator[str]:
    """A column for each zone, a box for each server, and a legend of the colours. Readable on a
    light and on a dark background.
    """
    picture = list(picture)
    kinds = [kind for kind in _LEGEND if kind in map(_kind, picture)]
    zones = [
        (zone, list(in_zone)) for zone, in_zone in groupby(picture, key=lambda slot: slot.zone)
    ]
    width = max(_LEAST_WIDTH, len(zones) * (_WIDTH + _GAP) + _GAP)
    tallest = max((len(in_zone) for _, in_zone in zones), default=0)
    box_height = _HEIGHT + (_GROUP_HEIGHT if any(map(_further_group, picture)) else 0)
    bottom = _TOP + tallest * (box_height + _GAP)
    in_row = (width - _GAP) // _LEGEND_WIDTH
    height = bottom + -(-len(kinds) // in_row) * _LEGEND_HEIGHT + _GAP
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    yield f"<title>{escape(titles[0])}</title>"
    yield f"<style>{_STYLE}</style>"
    yield '<rect class="paper" width="100%" height="100%"/>'
    for row, title in enumerate(titles):
        yield f'<text x="{_GAP}" y="{20 + row * 18}">{escape(title)}</text>'
    for column, (zone, in_zone) in enumerate(zones):
        x = _GAP + column * (_WIDTH + _GAP)
        yield f'<text class="zone" x="{x}" y="{_TOP - 10}">{escape(zone)}</text>'
        for row, slot in enumerate(in_zone):
            yield from _box(slot, x, _TOP + row * (box_height + _GAP), box_height)
    for number, kind in enumerate(kinds):
        row, column = divmod(number, in_row)
        yield from _key(kind, _GAP + column * _LEGEND_WIDTH, bottom + row * _LEGEND_HEIGHT)
    yield "</svg>"


def _kind(slot: Slot) -> str:
    return "bad" if slot.is_bad else slot.kind


def _key(kind: str, x: int, y: int) -> Iterator[str]:
    yield f'<rect class="key {kind}" x="{x + 1}" y="{y + 3}" width="12" height="10" rx="2"/>'
    yield f'<text class="small" x="{x + 19}" y="{y + 12}">{_LEGEND[kind]}</text>'


def _box(slot: Slot, x: int, y: int, height: int) -> Iterator[str]:
    yield f"<g><title>{escape(f'{slot.name}: {slot.state}')}</title>"
    at = f'x="{x}" y="{y}" width="{_WIDTH}" height="{height}"'
    yield f'<rect class="box {_kind(slot)}" {at} rx="4"/>'
    size = f"{slot.cores} c {slot.memory_gib} GiB"
    yield f'<text x="{x + 8}" y="{y + 17}">{escape(_short(slot.name, _NAME))}</text>'
    yield f'<text class="small" x="{x + _WIDTH - 8}" y="{y + 17}" text-anchor="end">{size}</text>'
    shares = (("cores", slot.cores_used), ("memory", slot.memory_used))
    if slot.cores_used is None or slot.is_bad:
        words = _LEGEND[slot.kind] if slot.state == "member" else slot.state
        for row, line in enumerate(wrap(words, _WORDS, max_lines=_LINES, placeholder=" …")):
            yield f'<text class="small" x="{x + 8}" y="{y + 36 + row * 13}">{escape(line)}</text>'
    else:
        for row, (word, share) in enumerate(shares):
            yield from _bar(word, share or 0.0, x + 8, y + 28 + row * 14)
    if group := _further_group(slot):
        words = escape(_short(f"group {group}", _WORDS))
        yield f'<text class="small" x="{x + 8}" y="{y + height - 8}">{words}</text>'
    yield "</g>"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _bar(word: str, share: float, x: int, y: int) -> Iterator[str]:
    full = round(_BAR * min(1.0, share))
    yield f'<text class="small" x="{x}" y="{y + 8}">{word}</text>'
    yield f'<rect class="empty" x="{x + 58}" y="{y}" width="{_BAR}" height="9"/>'
    yield f'<rect class="full" x="{x + 58}" y="{y}" width="{full}" height="9"/>'
