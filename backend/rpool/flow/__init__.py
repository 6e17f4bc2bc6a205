"""Carrying plans out: look, decide, act, and look again."""
