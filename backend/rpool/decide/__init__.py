"""Deciding: pure functions from what is wanted and what was seen to what to do.

No I/O, no clock, no randomness, no logging; import-linter holds it to that.
"""
