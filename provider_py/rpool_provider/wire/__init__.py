"""The border to Terraform: bytes on one side, plain Python values and dataclasses on the other.

protobuf loads its messages in pure Python (and text_format with them) beside those in C, which are
the ones that are used, and a calendar for its own time stamps: stand-ins save half of its time.
"""

from rpool.on_touch import on_touch

with on_touch("google.protobuf.internal.python_message"), on_touch("calendar"):
    import google.protobuf.descriptor_pool
    import google.protobuf.internal.builder
    import google.protobuf.internal.well_known_types  # noqa: F401
