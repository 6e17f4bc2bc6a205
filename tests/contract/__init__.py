"""What is promised of a server, stated once for a modelled one and one behind a real sshd."""
