"""What is promised of a server, told once: of a modelled one, and of one behind a real sshd."""
