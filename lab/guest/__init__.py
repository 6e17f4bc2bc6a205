"""What a server of the lab has on its disk before anyone touched it: a Debian installation."""
