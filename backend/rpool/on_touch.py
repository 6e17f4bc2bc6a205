"""Stand-ins for modules that others import and then do not use.

A plugin process of Terraform spends most of its time loading Python modules, so unused ones are
left out.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class _OnTouch(ModuleType):
    """A module that is loaded when one of its attributes is first read."""

    def __getattr__(self, name: str) -> Any:
        _withdraw(self)
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def on_touch(name: str) -> Iterator[None]:
    """Imports in this context get a stand-in for the module `name`, unless that is loaded already.
    All later imports get the real one.
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
