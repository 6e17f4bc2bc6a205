"""The texts of scenarios are no test files, but their assertions are to explain themselves, too."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("scenarios.pool", "scenarios.resizing", "scenarios.modelled")
