"""Worlds for tests: modelled servers on a stage, and one place where things go wrong."""

import pytest

pytest.register_assert_rewrite("worlds.expect", "worlds.stage", "worlds.faulty")
