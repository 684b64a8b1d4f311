"""``python -m hdpo_plugins.openrlhf.train_ppo_ray <OpenRLHF's flags> --plugin hdpo``."""

from __future__ import annotations

import sys

from hdpo_env.errors import HdpoError
from hdpo_plugins.openrlhf import compat, launch


def main() -> None:
    """The console script ``openrlhf-train-ppo-ray``: OpenRLHF's command line with our flags."""
    try:
        compat.check_version()
    except HdpoError as error:
        sys.exit(f"openrlhf-train-ppo-ray: {error}")
    launch.run()


if __name__ == "__main__":
    main()
