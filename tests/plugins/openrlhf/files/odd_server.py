"""The reward server with a verifier that takes its time, and dies when it is told to.

python odd_server.py FLAGS...   # with this folder on PYTHONPATH, which the workers import from
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from hdpo_env.types import Outcome, Verdict


@dataclass(frozen=True)
class OddVerifier:
    """Sleeps as many seconds as the completion says; all is right. Dies while a file exists."""

    name: str = "odd"
    version: str = "1"

    def verify(self, completion, gold, *, finish_reason=None):
        if Path(os.environ["ODD_POISON"]).exists():
            os._exit(3)
        seconds = completion.removesuffix("s")
        time.sleep(float(seconds) if seconds != completion else 0)
        return Verdict(Outcome.CORRECT, completion)


if __name__ == "__main__":
    from odd_server import OddVerifier as Importable

    from hdpo_env.verifiers import VERIFIERS
    from hdpo_plugins.openrlhf.reward.server import main

    VERIFIERS.add("odd", Importable)
    main()
