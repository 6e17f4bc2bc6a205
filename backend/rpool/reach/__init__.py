"""The real world behind `rpool.model.world`: servers reached over SSH.

Import it lazily: paramiko alone takes more than 0.1 s to load, and Terraform starts the provider
several times a command.
"""
