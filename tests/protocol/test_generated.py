"""The generated code is what the definitions say today."""

from __future__ import annotations

import subprocess
from pathlib import Path

from protocol.plugin_process import CHECKOUT

GENERATED = CHECKOUT / "provider_py/rpool_provider/wire/gen"


def test_the_generated_code_is_up_to_date_with_the_definitions(tmp_path: Path) -> None:
    subprocess.run([CHECKOUT / "proto/generate.sh", tmp_path], check=True, timeout=120)
    fresh = {file.name: file.read_text() for file in tmp_path.iterdir()}
    kept = {f.name: f.read_text() for f in GENERATED.glob("*_pb2.py*") if f.suffix != ".pyc"}
    assert fresh == kept
