"""The Terraform provider: the plugin process that Terraform and OpenTofu start and talk to.

It decodes what they ask, calls `rpool.api`, and encodes the answer. What a cluster is and how one
is made is not known here.
"""
