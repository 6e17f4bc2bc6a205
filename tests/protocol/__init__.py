"""The plugin protocol, spoken to the real process: by a host in Python, and by Terraform."""
