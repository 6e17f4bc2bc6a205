"""The `rpool` command: what an operator asks at a shell."""
