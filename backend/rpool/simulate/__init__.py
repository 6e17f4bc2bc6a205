"""Modelled servers behind the same port as the real ones, with the real rules."""

FILE_NAME = ".rpool-simulated.json"
"""Where their state is: in the working directory of Terraform, beside the configuration."""
