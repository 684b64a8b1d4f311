"""Where questions come from: procedural families, files and hub data sets."""

from hdpo_env.problems.arithmetic import ArithmeticFamily, FractionFamily
from hdpo_env.problems.chain import ChainFamily
from hdpo_env.problems.family import Family, FamilySource
from hdpo_env.problems.fieldmap import FIELD_MAPS, FieldMap
from hdpo_env.problems.linear import LinearFamily, SystemFamily
from hdpo_env.problems.rows import BadRow, LoadReport, load_problems
from hdpo_env.problems.source import PROBLEMS, Mixture, ProblemSource

__all__ = [
    "PROBLEMS",
    "ProblemSource",
    "Mixture",
    "Family",
    "FamilySource",
    "ChainFamily",
    "ArithmeticFamily",
    "FractionFamily",
    "LinearFamily",
    "SystemFamily",
    "FIELD_MAPS",
    "FieldMap",
    "BadRow",
    "LoadReport",
    "load_problems",
]
