"""NeMo-RL's environment interface as its source declares it."""

from __future__ import annotations

from hdpo_env.conformance import Host, Signature
from hdpo_plugins.nemo_rl.environment import judge_batch

_SOURCE = "NVIDIA-NeMo/RL nemo_rl/environments/interfaces.py"
_COMMIT = "0b8a793a08595fcdb9637324fee230e30c72ce54"


def verdicts() -> None:
    """The last assistant message is judged, an empty log is no answer, a bad gold abstains."""

    def log(*contents: str) -> list[dict[str, str]]:
        roles = ("user", "assistant") * len(contents)
        return [{"role": r, "content": c} for r, c in zip(roles, contents, strict=False)]

    found = judge_batch(
        [log("2+2=?", r"\boxed{4}"), log("q", r"\boxed{4}", "sure?", r"\boxed{5}"), log("q"), []],
        [{"ground_truth": "4"}, {"answers": ["4"]}, {"ground_truth": "4"}, {"ground_truth": " "}],
    )
    assert [v.correct for v in found] == [True, False, False, None], found


HOSTS = (
    Host(
        "nemo-rl",
        distribution="nemo-rl",
        tested=(),
        abstention='0.0, logged and counted; `metadata["abstained"]` and the metric `abstentions`',
        offline={"verdicts of a batch": verdicts},
        recorded=(
            Signature(
                "hdpo_plugins.nemo_rl.environment:MathEnvironment.step",
                ("message_log_batch", "metadata"),
                source=_SOURCE,
                commit=_COMMIT,
            ),
            Signature(
                "hdpo_plugins.nemo_rl.environment:MathEnvironment.global_post_process_and_metrics",
                ("batch",),
                source=_SOURCE,
                commit=_COMMIT,
            ),
        ),
    ),
)
