"""The real world behind `rpool.model.world`: servers reached over SSH.

Import it lazily: paramiko alone takes more than a tenth of a second, and Terraform starts the
provider several times a command.
"""
