"""Package the functions like ``chalice deploy``: ``python -m infra.aws.package FOLDER STAGE``.

The result is for inspection, for example by cfn-lint, which needs a complete template. Values that
only a deployed stage knows (subnets, ids of APIs) are made up.
"""

import sys
from pathlib import Path

from chalicelib.errors import SheenError
from infra.aws.place import aws_place
from infra.aws.settings import load
from infra.declared import DECLARED, TREE
from infra.emulator.errors import CannotStart
from infra.local.package import chalice_package

_ACCOUNT = "123456789012"


def main(folder: str, stage: str) -> None:
    """Write ``sam.json`` and the archives into ``folder``."""
    place = aws_place(
        load(stage),
        _ACCOUNT,
        subnets=("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"),
        task_security_group="sg-0123456789abcdef0",
        function_subnets=("subnet-0123456789abcdef2", "subnet-0123456789abcdef3"),
        function_security_group="sg-0123456789abcdef1",
        websocket_api="a1b2c3d4e5",
        file_system="fs-0123456789abcdef0",
        access_point="fsap-0123456789abcdef0",
    )
    chalice_package(TREE / "chalice_app", sys.executable, DECLARED, place, Path(folder).absolute())


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (SheenError, CannotStart) as error:
        sys.exit(str(error))
