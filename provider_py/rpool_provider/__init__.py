"""The Terraform provider: the plugin process that Terraform and OpenTofu start and talk to.

It decodes requests, calls `rpool.api`, and encodes the answers. It does not know what a cluster is
or how one is made.
"""
