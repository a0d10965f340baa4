"""What protoc makes of the .proto files: made when it is not there yet, in gen/."""

import importlib.resources
import os
import pathlib
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
gen = here / "gen"

if not gen.exists():
    from grpc_tools import protoc

    # Made aside and renamed: whoever starts meanwhile sees all of it or nothing.
    made = tempfile.mkdtemp(prefix="gen-", dir=here)
    files = [str(file) for file in sorted((here / "proto").rglob("*.proto"))]
    known = importlib.resources.files("grpc_tools") / "_proto"
    failed = protoc.main(
        ["protoc", f"-I{here / 'proto'}", f"-I{known}", f"--python_out={made}", f"--grpc_python_out={made}", *files]
    )
    if failed:
        raise SystemExit("protoc refuses the .proto files")
    try:
        os.rename(made, gen)
    except OSError:
        pass  # Another was first.

sys.path.insert(0, str(gen))

from sluice.connector.v1 import connector_pb2 as pb  # noqa: E402
from sluice.connector.v1 import connector_pb2_grpc as rpc  # noqa: E402
from sluice.record.v1 import record_pb2 as records  # noqa: E402

__all__ = ["pb", "records", "rpc"]
