"""Problems in the form that other systems read, privileged context included.

>>> from hdpo_env.exports import to_opsd
>>> from hdpo_env.types import Problem
>>> to_opsd([Problem("1+1=?", ("2",), solution="One more than 1 is 2.")])[0]["solution"]
'One more than 1 is 2.'
"""

from hdpo_env.exports.carrier import Carrier
from hdpo_env.exports.carriers import (
    CARRIERS,
    to_nemo_rl,
    to_openrlhf,
    to_opsd,
    to_prime_rl,
    to_roll,
    to_sdpg,
    to_sdpo,
    to_slime,
    to_tinker,
    to_trl,
    to_verl,
    to_verl_opsd,
)
from hdpo_env.exports.export import Export, LeftOut
from hdpo_env.exports.forms import TEACHER_CONTEXT
from hdpo_env.exports.groups import groups_at, groups_of

__all__ = [
    "CARRIERS",
    "Carrier",
    "Export",
    "LeftOut",
    "TEACHER_CONTEXT",
    "groups_of",
    "groups_at",
    "to_trl",
    "to_verl",
    "to_verl_opsd",
    "to_openrlhf",
    "to_sdpg",
    "to_opsd",
    "to_sdpo",
    "to_prime_rl",
    "to_tinker",
    "to_roll",
    "to_slime",
    "to_nemo_rl",
]
