"""verifiers 0.4 loads a taskset by the name of a module like this one: ``vf-eval my-hdpo-math``.

python examples/verifiers/my_hdpo_math.py
"""

from __future__ import annotations

import asyncio

from hdpo_plugins.verifiers.v1 import HdpoTaskset

__all__ = ["HdpoTaskset"]


def main() -> list[bool]:
    """Load the taskset as the host does, and validate every task."""
    import verifiers.v1 as vf

    from hdpo_plugins.verifiers.v1 import HdpoConfig

    config = HdpoConfig(id="my-hdpo-math", problems="linear", size=8, view="reference_only")
    tasks = list(vf.load_taskset(config))
    valid = [bool(asyncio.run(task.validate(None))) for task in tasks]
    print(f"{len(tasks)} tasks, {sum(valid)} valid; the first one: {tasks[0].data.prompt!r}")
    return valid


if __name__ == "__main__":
    main()
