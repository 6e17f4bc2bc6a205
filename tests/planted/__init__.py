"""Bugs that could have been ours, planted one at a time: each is caught by a test it names."""
