"""Modelled servers behind the same port as the real ones, with the real rules."""
