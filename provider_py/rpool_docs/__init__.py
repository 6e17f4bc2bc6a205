"""Makes the pages of the provider's documentation from its schemas and `docs/templates/`.

The layout in `docs/` is that of registries: `resources/`, `guides/` and so on. This package is for
developers, and in no archive.
"""
