"""The border to Terraform: bytes on one side, plain Python values and dataclasses on the other."""
