"""Plans: tables of what was observed and the steps that follow, and what holds for every plan."""

import pytest

pytest.register_assert_rewrite("plan.table")
