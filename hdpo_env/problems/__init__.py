"""Where questions come from: procedural families, files and hub data sets."""

from hdpo_env.problems.arithmetic import ArithmeticFamily, FractionFamily
from hdpo_env.problems.calculus import CalculusFamily
from hdpo_env.problems.chain import ChainFamily
from hdpo_env.problems.counting import CombinatoricsFamily
from hdpo_env.problems.family import Family, FamilySource
from hdpo_env.problems.fieldmap import FieldMap
from hdpo_env.problems.geometry import GeometryFamily
from hdpo_env.problems.golds import gold_fault
from hdpo_env.problems.known import DATASETS, KnownData
from hdpo_env.problems.levels import LevelFamily, Worked
from hdpo_env.problems.linear import LinearFamily, SystemFamily
from hdpo_env.problems.maps import FIELD_MAPS
from hdpo_env.problems.modular import ModularFamily
from hdpo_env.problems.named import open_source
from hdpo_env.problems.number_theory import NumberTheoryFamily
from hdpo_env.problems.probability import ProbabilityFamily
from hdpo_env.problems.quadratic import QuadraticFamily
from hdpo_env.problems.report import BadRow, LoadReport
from hdpo_env.problems.rows import RowStream, load_problems
from hdpo_env.problems.sample import sample_problems
from hdpo_env.problems.sequences import SequenceFamily
from hdpo_env.problems.source import LEVEL_FAMILIES, PROBLEMS, Mixture, ProblemSource

__all__ = [
    "PROBLEMS",
    "ProblemSource",
    "Mixture",
    "Family",
    "FamilySource",
    "LevelFamily",
    "Worked",
    "LEVEL_FAMILIES",
    "ChainFamily",
    "ArithmeticFamily",
    "FractionFamily",
    "LinearFamily",
    "QuadraticFamily",
    "SystemFamily",
    "ModularFamily",
    "NumberTheoryFamily",
    "CombinatoricsFamily",
    "SequenceFamily",
    "CalculusFamily",
    "ProbabilityFamily",
    "GeometryFamily",
    "sample_problems",
    "FIELD_MAPS",
    "FieldMap",
    "DATASETS",
    "KnownData",
    "BadRow",
    "LoadReport",
    "RowStream",
    "load_problems",
    "open_source",
    "gold_fault",
]
