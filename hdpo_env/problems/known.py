"""Data sets by name: where each one is, which splits it has, and which ready map reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hdpo_env.registry import Registry

ASSETS = Path(__file__).parent.parent / "assets" / "problems"


@dataclass(frozen=True)
class KnownData:
    """Where a data set is and how it is read. A data set with one split has it under any name."""

    path: str  # a hub id, or a bundled file
    field_map: str
    splits: tuple[str, ...] = ("train",)
    config: str | None = None

    def split(self, wanted: str) -> str:
        """The split to ask for.

        >>> DATASETS["math500"].split("train"), DATASETS["gsm8k"].split("train")
        ('test', 'train')
        """
        return self.splits[0] if len(self.splits) == 1 else wanted


DATASETS: Registry[KnownData] = Registry("dataset")
_BOTH, _TEST = ("train", "test"), ("test",)

for _name, _data in {
    "gsm8k": KnownData("openai/gsm8k", "gsm8k", _BOTH, "main"),
    "gsm8k-socratic": KnownData("openai/gsm8k", "gsm8k-socratic", _BOTH, "socratic"),
    "math": KnownData("DigitalLearningGmbH/MATH-lighteval", "math", _BOTH),
    "math500": KnownData("HuggingFaceH4/MATH-500", "math500", _TEST),
    "aime24": KnownData("HuggingFaceH4/aime_2024", "aime24"),
    "aime25": KnownData("math-ai/aime25", "aime25", _TEST),
    "amc23": KnownData("math-ai/amc23", "amc23", _TEST),
    "openmathinstruct2": KnownData(
        "nvidia/OpenMathInstruct-2",
        "openmathinstruct2",
        ("train", "train_1M", "train_2M", "train_5M"),
    ),
    "deepmath": KnownData("zwhe99/DeepMath-103K", "deepmath"),
    "numinamath15": KnownData("AI-MO/NuminaMath-1.5", "numinamath15"),
    "dapo": KnownData("open-r1/DAPO-Math-17k-Processed", "dapo", config="en"),
    "dapo-raw": KnownData("BytedTsinghua-SIA/DAPO-Math-17k", "dapo"),
    "bigmath": KnownData("SynthLabsAI/Big-Math-RL-Verified", "bigmath"),
    "deepscaler": KnownData("agentica-org/DeepScaleR-Preview-Dataset", "deepscaler"),
    "polaris": KnownData("POLARIS-Project/Polaris-Dataset-53K", "polaris"),
    "sample": KnownData(str(ASSETS / "gsm8k_train.jsonl"), "gsm8k"),
    "sample-socratic": KnownData(
        str(ASSETS / "gsm8k_test_socratic.jsonl"), "gsm8k-socratic", _TEST
    ),
}.items():
    DATASETS.add(_name, _data)


def find_known(place: str) -> KnownData | None:
    """A data set by its short name or its hub id, or None.

    >>> find_known("openai/gsm8k").field_map, find_known("somebody/unknown")
    ('gsm8k', None)
    """
    if place in DATASETS:
        return DATASETS[place]
    return next((DATASETS[n] for n in DATASETS if DATASETS[n].path == place), None)
