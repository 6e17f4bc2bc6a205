"""Makes a release: the provider as archives that start without Python on the host, signed, and laid
out to be served. It is for developers (`make dist`), and in no archive.
"""
