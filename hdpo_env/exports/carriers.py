"""The carriers: which systems take privileged context, and what makes them read it."""

from __future__ import annotations

from hdpo_env.exports import forms
from hdpo_env.exports.carrier import Carrier
from hdpo_env.problems.fieldmap import Column, FieldMap
from hdpo_env.registry import Registry


def _fields(at: str = "") -> FieldMap:
    """The map that reads the facts of an entry, under a column if ``at`` names one."""
    dot = f"{at}." if at else ""
    return FieldMap(
        question=f"{dot}question",
        answer=f"{dot}answers",
        solution=f"{dot}worked_solution",
        id=f"{dot}problem_id",
        subject=f"{dot}subject",
        difficulty=f"{dot}difficulty",
        hints=f"{dot}hints",
        verifier=Column(f"{dot}verifier"),
        source=f"{dot}source",
        split=f"{dot}split",
    )


CARRIERS: Registry[Carrier] = Registry("carrier")

to_trl = Carrier(
    "trl",
    forms.trl,
    _fields(),
    "SDPO: include_environment_feedback=True; SDFT reads the column as it is",
    template="hdpo",
    is_whole=True,
)
to_verl = Carrier(
    "verl",
    forms.verl,
    _fields("extra_info"),
    "data.train_files=FILE; context in extra_info.privileged_context",
    template="hdpo",
    is_whole=True,
    suffix=".parquet",
)
to_verl_opsd = Carrier(
    "verl-opsd",
    forms.verl_opsd,
    _fields("extra_info"),
    "data.train_files=FILE distillation.privileged_solution_key=extra_info.solution "
    "distillation.privileged_problem_key=extra_info.problem",
    view="reference_only",
    suffix=".parquet",
)
to_openrlhf = Carrier(
    "openrlhf",
    forms.openrlhf,
    _fields(),
    "--data.input_key input --data.label_key label --data.solution_key solution",
    view="reference_only",
)
to_sdpg = Carrier(
    "sdpg",
    forms.sdpg,
    _fields("extra_info"),
    "data.train_files=FILE actor_rollout_ref.actor.policy_loss.loss_mode=sdpg",
    template="sdpg",
    is_whole=True,
    suffix=".parquet",
)
to_opsd = Carrier(
    "opsd",
    forms.opsd,
    _fields(),
    "the collator's problem_field and solution_field, as they are",
    view="reference_only",
)
to_sdpo = Carrier(
    "sdpo",
    forms.sdpo,
    _fields("extra_info"),
    "include_environment_feedback: True, and a reward that returns extra_info's feedback",
    template="sdpo",
    suffix=".parquet",
)
to_prime_rl = Carrier(
    "prime-rl",
    forms.prime_rl,
    _fields("info"),
    '[orchestrator.algo] type = "opsd", demo_key = "demonstration"',
    view="reference_only",
)
to_tinker = Carrier(
    "tinker",
    forms.tinker,
    _fields(),
    "questions are the column prompt, golden_answers the column golden_response",
    view="reference_only",
)
to_roll = Carrier(
    "roll",
    forms.roll,
    _fields(),
    "opsd_mode: true, opsd_solution_key: reference_solution",
    view="reference_only",
)
to_slime = Carrier(
    "slime",
    forms.slime,
    _fields("metadata"),
    "--input-key prompt --label-key label --metadata-key metadata --apply-chat-template",
)
to_nemo_rl = Carrier(
    "nemo-rl",
    forms.nemo_rl,
    _fields(),
    "data.train.dataset_name=ResponseDataset data.default.processor=math_hf_data_processor",
)

for _carrier in (
    *(to_trl, to_verl, to_verl_opsd, to_openrlhf, to_sdpg, to_opsd, to_sdpo),
    *(to_prime_rl, to_tinker, to_roll, to_slime, to_nemo_rl),
):
    CARRIERS.add(_carrier.name, _carrier)
