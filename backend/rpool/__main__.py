"""`python -m rpool`: the `rpool` command from a checkout."""

from __future__ import annotations

import sys

from rpool.cli.main import main

sys.exit(main())
