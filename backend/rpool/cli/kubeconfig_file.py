"""Merges a cluster into a kubeconfig of the user's own, beside its other entries.

The file is changed as a tree of YAML nodes, never as values: what we do not touch is written as it
was read, whatever a version of YAML takes it for. Only comments are lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from yaml.representer import SafeRepresenter

from rpool.cli import private_file
from rpool.errors import Refused

SECTIONS = ("clusters", "users", "contexts")
_NULL = "tag:yaml.org,2002:null"
_WIDTH = 1 << 20


def merge(path: Path, document: Mapping[str, Any]) -> None:
    """Put the entries of a kubeconfig into the one at `path`; they replace entries of their name.
    The current context stays, if there is one. Raises Refused, with nothing changed, when the file
    is no kubeconfig, or has an entry of that name for another cluster.
    """
    path = path.expanduser().resolve()  # a link stays a link
    with _locked(path):
        new = _node(document)
        root = _read(path)
        if root is None:
            root = new
        else:
            _refuse_another(path, root, document)
            for section in SECTIONS:
                _put(path, root, new, section)
            current = _get(root, "current-context")
            if current is None or _is_empty(current):
                _set(root, "current-context", _need(new, "current-context"))
        _use_block_style(root, set())
        text = yaml.serialize(root, Dumper=yaml.SafeDumper, width=_WIDTH, allow_unicode=True)
        private_file.write(path, text)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file that kubectl uses, too."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise Refused(
            f"{path} is locked: {lock} exists",
            "Wait until the other change ends, and try again; if there is none, remove the lock "
            "file.",
        ) from None
    except OSError as error:
        raise Refused(f"{lock} cannot be created: {error.strerror}") from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _read(path: Path) -> yaml.MappingNode | None:
    """The root node; None when there is no file, or nothing in it."""
    try:
        root = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:  # its own text quotes the file, which has keys
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise _no_kubeconfig(path, f"{error.problem}{line}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _no_kubeconfig(path, "it is not valid YAML") from None
    if root is None or _is_empty(root):
        return None
    if not isinstance(root, yaml.MappingNode):
        raise _no_kubeconfig(path, "it is not a mapping")
    return root


def _put(path: Path, root: yaml.MappingNode, new: yaml.MappingNode, section: str) -> None:
    (entry,) = _need(new, section).value
    entries = _entries(path, root, section)
    name = _need(entry, "name").value
    places = [i for i, old in enumerate(entries) if _name_of(old) == name]
    kept = [old for i, old in enumerate(entries) if i not in places[1:]]
    if places:
        kept[places[0]] = entry
    else:
        kept.append(entry)
    # A new node: the old one may be an alias of another.
    _set(root, section, yaml.SequenceNode("tag:yaml.org,2002:seq", kept))


def _refuse_another(path: Path, root: yaml.MappingNode, document: Mapping[str, Any]) -> None:
    """Raise Refused when a cluster of that name has another CA: then it is another cluster."""
    (ours,) = document["clusters"]
    name, ca = ours["name"], ours["cluster"]["certificate-authority-data"]
    for entry in _entries(path, root, "clusters"):
        if _name_of(entry) != name:
            continue
        cluster = _get(entry, "cluster")
        known = _get(cluster, "certificate-authority-data")
        if known is None or known.value != ca:
            raise Refused(
                f"{path} already has another cluster named {name}",
                "That one has another CA. Choose another name (--context NAME); or, if that "
                f"cluster is gone: kubectl config delete-cluster {name}",
            )


def _entries(path: Path, root: yaml.MappingNode, section: str) -> list[yaml.Node]:
    node = _get(root, section)
    if node is None or _is_empty(node):
        return []
    if not isinstance(node, yaml.SequenceNode):
        raise _no_kubeconfig(path, f"{section} is not a list")
    entries: list[yaml.Node] = node.value
    return entries


def _get(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _need(node: yaml.Node, key: str) -> yaml.Node:
    value = _get(node, key)
    assert value is not None  # noqa: S101 it is our own
    return value


def _set(root: yaml.MappingNode, key: str, value: yaml.Node) -> None:
    if _get(root, key) is None:
        root.value.append((_node(key), value))
    else:
        root.value = [(name, value if name.value == key else old) for name, old in root.value]


def _name_of(entry: yaml.Node) -> object:
    name = _get(entry, "name")
    return name.value if name is not None else None


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and (node.tag == _NULL or node.value == "")


def _node(value: Any) -> Any:
    return SafeRepresenter().represent_data(value)


def _use_block_style(node: yaml.Node, done: set[int]) -> None:
    """Set block style: within braces, not every text could stay as it is."""
    if id(node) in done or not isinstance(node, yaml.CollectionNode):
        return
    done.add(id(node))
    node.flow_style = False
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            _use_block_style(part, done)


def _no_kubeconfig(path: Path, why: str) -> Refused:
    return Refused(
        f"{path} is not a kubeconfig: {why}",
        "It was not changed. Repair it, or name another file: --merge FILE",
    )
