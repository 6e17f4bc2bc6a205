"""pydantic without what it loads beyond its models. Import it before `pydantic`.

At the first model, pydantic searches the metadata of all installed packages for plugins. None is
wanted here: a plugin may change what is checked. A stand-in for the module that searches saves that
and importlib.metadata: a quarter of the time that pydantic takes to load.
"""

from __future__ import annotations

import sys
from types import ModuleType

from rpool.on_touch import on_touch


class _NoPlugins(ModuleType):
    """Replaces `pydantic.plugin._loader`; pydantic uses only this function of it."""

    @staticmethod
    def get_plugins() -> tuple[()]:
        return ()


sys.modules.setdefault("pydantic.plugin._loader", _NoPlugins("pydantic.plugin._loader"))

# pydantic's secret types, unused here, import `secrets` to compare (and so OpenSSL's hashes).
with on_touch("secrets"):
    import pydantic.types  # noqa: F401
