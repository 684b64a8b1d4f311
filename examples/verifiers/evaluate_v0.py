"""verifiers 0.3: load our environment by its module's name and evaluate an endpoint on it.

python examples/verifiers/evaluate_v0.py
"""

from __future__ import annotations

import asyncio
import os

import verifiers as vf
from verifiers.types import ClientConfig

from hdpo_plugins.verifiers.endpoint import answering


def main() -> list[float]:
    """An endpoint that always answers 7, on four problems."""
    environment = vf.load_environment(
        "hdpo_plugins.verifiers.v0", problems="linear", level=1, eval_size=4, view="reference_only"
    )
    os.environ.setdefault("NO_KEY", "none")
    with answering(lambda prompt: r"I say \boxed{7}.") as url:
        client = ClientConfig(api_base_url=url, api_key_var="NO_KEY")
        found = asyncio.run(environment.evaluate(client=client, model="seven", num_examples=4))
    rewards = [output["reward"] for output in found["outputs"]]
    print("rewards:", rewards)
    return rewards


if __name__ == "__main__":
    main()
