"""What the teacher may see: views of a problem, and the teacher's prompt built from one.

This is the only room that may put a gold answer, a solution or a hint into a prompt. A *view* says
which pieces the teacher gets; a *privileged template* says in which words.
"""

from hdpo_env.privileged.masking import MASK, mask_answer
from hdpo_env.privileged.pair import Pair, build_pair
from hdpo_env.privileged.pieces import Piece, View, ViewTable
from hdpo_env.privileged.prompt import privileged_context, privileged_prompt
from hdpo_env.privileged.quoted import quotes_rollouts
from hdpo_env.privileged.tokens import PromptTokens, Span
from hdpo_env.privileged.views import VIEWS
from hdpo_env.privileged.words import PRIVILEGED_TEMPLATES, TELLTALES, PrivilegedTemplate

__all__ = [
    "VIEWS",
    "quotes_rollouts",
    "View",
    "ViewTable",
    "Piece",
    "PRIVILEGED_TEMPLATES",
    "PrivilegedTemplate",
    "TELLTALES",
    "privileged_prompt",
    "privileged_context",
    "build_pair",
    "Pair",
    "PromptTokens",
    "Span",
    "mask_answer",
    "MASK",
]
