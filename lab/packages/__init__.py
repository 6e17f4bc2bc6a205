"""Builds what a cluster is made of: programs, Debian packages, images, manifests.

Everything comes from Go modules and from Debian, since an air-gapped test machine reaches
nothing else; names, versions and layouts are those of the upstream project.
"""
