"""Makes the pages of the provider's documentation out of its schemas and of `docs/templates/`.

The layout is that of registries, in `docs/`: `resources/`, `guides/` and so on. It is for
developers, and in no archive.
"""
