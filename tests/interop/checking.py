"""What `drim-gateway check` finds beside a gateway that runs."""

import json
import subprocess
from collections.abc import Mapping

from tests.support.programs import Gateway, serving


def checked(gateway: Gateway, settings: Mapping[str, str]) -> dict[str, str]:
    """State of each thing that it looks at.

    Args:
        settings: of the environment, beside folder and ports.
    """
    command = [*serving("gateway", open_access=False)[:-1], "check", "--json", "--open-access"]
    environment = {
        "GATEWAY_DATA_DIR": str(gateway.data_dir),
        "GATEWAY_HTTP_PORT": str(gateway.http),
        "GATEWAY_DICOM_PORT": str(gateway.dicom),
        "GATEWAY_MLLP_PORT": str(gateway.mllp),
        **settings,
    }
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode in (1, 2), run.stderr  # a gateway of the tests numbers no structure
    return {one["what"]: one["state"] for one in json.loads(run.stdout)["findings"]}
