"""Makes a release: the provider as archives that start without Python, signed, and laid out to be
served. Developers' code, in no archive itself: `make dist`.
"""
