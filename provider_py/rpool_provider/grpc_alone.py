"""gRPC without its asynchronous half, which nothing here uses.

`import grpc` loads that half too; an empty module in its place saves a tenth of the time from the
start of the process to the handshake. Import `grpc` from here, first thing in the process.
"""

from __future__ import annotations

import sys
from types import ModuleType

sys.modules.setdefault("grpc.aio", ModuleType("grpc.aio"))

import grpc  # noqa: E402 the line above must come first

__all__ = ["grpc"]
