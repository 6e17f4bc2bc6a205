"""Scenarios are no test files, so pytest is told to explain their assertions, too."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("scenarios.pool", "scenarios.resizing", "scenarios.modelled")
