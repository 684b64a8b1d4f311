"""OpenEnv: serve an environment in this process and play one episode over a WebSocket.

    python examples/openenv/play.py

As a service of its own: ``hdpo serve linear --set level=2 --max-turns 2``.
"""

from __future__ import annotations

from hdpo_plugins.openenv.client import MathClient
from hdpo_plugins.openenv.contract import running
from hdpo_plugins.openenv.serve import application


def main() -> list[bool | None]:
    """Two attempts at one problem."""
    verdicts: list[bool | None] = []
    app = application("linear", max_turns=2, level=2)
    with running(app) as url, MathClient(url).sync() as client:
        found = client.reset(seed=0)
        print(found.observation.text)
        while not found.done:
            found = client.step(r"\boxed{0}")
            verdicts.append(found.observation.correct)
            print("->", found.observation.text, "reward", found.reward)
    return verdicts


if __name__ == "__main__":
    main()
