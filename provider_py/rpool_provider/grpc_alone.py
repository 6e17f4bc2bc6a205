"""gRPC without its asynchronous half, which nothing here uses.

`import grpc` loads that half, and asyncio with it (so ssl and subprocess too). Stand-ins in their
places save a fifth of the time from the start of the process to the handshake. Import `grpc`
from here, first thing in the process.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _OnTouch(ModuleType):
    """A module that is loaded when something is first read from it."""

    def __getattr__(self, name: str) -> Any:
        _withdraw(self)
        return getattr(importlib.import_module(self.__name__), name)


def _withdraw(stand_in: ModuleType) -> None:
    if sys.modules.get(stand_in.__name__) is stand_in:
        del sys.modules[stand_in.__name__]


# grpc's C half imports asyncio, and reads from it only when the asynchronous half is used.
_asyncio = _OnTouch("asyncio")
sys.modules.setdefault("asyncio", _asyncio)
sys.modules.setdefault("grpc.aio", ModuleType("grpc.aio"))

import grpc  # noqa: E402 the lines above must come first

_withdraw(_asyncio)  # all others find the real one

__all__ = ["grpc"]
