"""Deciding: pure functions from what is desired and what was observed to what to do.

No I/O, no clock, no randomness, no logging; import-linter holds it to that.
"""
