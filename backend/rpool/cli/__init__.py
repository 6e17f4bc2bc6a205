"""The `rpool` command, for operators at a shell."""
