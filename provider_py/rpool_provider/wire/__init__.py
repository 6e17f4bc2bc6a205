"""The border to Terraform: bytes on one side, plain Python values and dataclasses on the other.

protobuf uses its messages in C, but loads those in pure Python too (with text_format), and a
calendar for its time stamps: stand-ins for these halve its loading time.
"""

from rpool.on_touch import on_touch

with on_touch("google.protobuf.internal.python_message"), on_touch("calendar"):
    import google.protobuf.descriptor_pool
    import google.protobuf.internal.builder
    import google.protobuf.internal.well_known_types  # noqa: F401
