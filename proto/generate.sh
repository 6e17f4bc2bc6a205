#!/bin/sh
# Writes provider_py/rpool_provider/wire/gen (or the folder given) from the definitions here.
# Run it after a change of a .proto file; tests/protocol/test_generated.py fails until then.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
to=${1:-$here/../provider_py/rpool_provider/wire/gen}
cd "$here"
exec ../.venv/bin/python -m grpc_tools.protoc -I . --python_out="$to" --pyi_out="$to" ./*.proto
