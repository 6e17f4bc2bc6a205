"""Stand-ins for modules that others import and then do not use.

Most of what a plugin process of Terraform does is to load Python; what it never uses need not be.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class _OnTouch(ModuleType):
    """A module that is loaded when something is first read from it."""

    def __getattr__(self, name: str) -> Any:
        _withdraw(self)
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def on_touch(name: str) -> Iterator[None]:
    """What is imported inside gets a stand-in for the module `name`, unless it is there already.
    All others find the real one.
    """
    stand_in = _OnTouch(name)
    sys.modules.setdefault(name, stand_in)
    try:
        yield
    finally:
        _withdraw(stand_in)


def _withdraw(stand_in: ModuleType) -> None:
    if sys.modules.get(stand_in.__name__) is stand_in:
        del sys.modules[stand_in.__name__]
