"""Lets `python -m lab` start the command line."""

from lab.cli import main

raise SystemExit(main())
