"""The lab's web server: packages and manifests. Run in the switch's namespace as a process."""

from __future__ import annotations

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Files(SimpleHTTPRequestHandler):
    """Serves files, and keeps connections open: apt asks for many."""

    protocol_version = "HTTP/1.1"


def main(folder: str, address: str) -> None:
    """Serve the folder at the address's port 80 until killed."""
    ThreadingHTTPServer((address, 80), partial(Files, directory=folder)).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
