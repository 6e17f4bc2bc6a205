"""pydantic without what it loads beyond its models. Import it before `pydantic`.

At the first model pydantic looks into the metadata of all installed packages for plugins of its
own. None is wanted here: a plugin may change what is checked. A stand-in for the module that looks
for them saves the search, and importlib.metadata; that is a quarter of what pydantic takes to load.
"""

from __future__ import annotations

import sys
from types import ModuleType

from rpool.on_touch import on_touch


class _NoPlugins(ModuleType):
    """In the place of `pydantic.plugin._loader`, of which pydantic uses this one function."""

    @staticmethod
    def get_plugins() -> tuple[()]:
        return ()


sys.modules.setdefault("pydantic.plugin._loader", _NoPlugins("pydantic.plugin._loader"))

# Its types for secrets, which nothing here uses, compare them by `secrets` (and OpenSSL's hashes).
with on_touch("secrets"):
    import pydantic.types  # noqa: F401
