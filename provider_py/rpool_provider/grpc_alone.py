"""gRPC without its asynchronous half, which nothing here uses.

`import grpc` loads that half, and with it asyncio, ssl and subprocess. Stand-ins for them save a
fifth of the time from the start of the process to the handshake. Import `grpc` from here, before
anything else in the process.
"""

from __future__ import annotations

import sys
from types import ModuleType

from rpool.on_touch import on_touch

sys.modules.setdefault("grpc.aio", ModuleType("grpc.aio"))

# grpc's C half imports asyncio, and reads from it only when the asynchronous half is used.
with on_touch("asyncio"):
    import grpc

__all__ = ["grpc"]
