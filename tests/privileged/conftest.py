"""Groups of rollouts and real tokenizers, made on the spot."""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import hdpo_env
from hdpo_env.rollouts import judge
from hdpo_env.types import Completion, Group, Problem, Prompt, Rollout

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)
TRIMMING = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] | trim }} [/]{% endfor %}[A] "
TEXTS = [
    "What is 6 times 7? Reason step by step, and put your final answer in \\boxed{}.",
    "Worked solution: we add the numbers and find that x = 12, so the answer is 42.",
    "For your eyes only, here is reference material on this problem. Final answer: 7",
]


@pytest.fixture
def group_of() -> Callable[..., Group]:
    """A group of rollouts with these texts, judged by the problem's own verifier."""

    def make(problem: Problem, *texts: str, finish: str = "stop") -> Group:
        completions = [Completion(tuple(t.encode()), t, finish_reason=finish) for t in texts]
        verdicts = judge([(problem, c) for c in completions])
        prompt = Prompt(problem.id, ())
        rollouts = (Rollout(prompt, c, v, None) for c, v in zip(completions, verdicts, strict=True))
        return Group(problem, tuple(rollouts))

    return make


def byte_level(template: str | None) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, trained here, with ChatML's special tokens."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<|im_start|>", "<|im_end|>", "<pad>"]
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(TEXTS * 3, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<pad>"
    )
    tokenizer.chat_template = template
    return tokenizer


def with_beginning(template: str | None) -> PreTrainedTokenizerFast:
    """Words marked by their leading blank, as SentencePiece does, and a beginning-of-text token."""
    raw = Tokenizer(models.Unigram())
    raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    raw.decoder = decoders.Metaspace(prepend_scheme="never")
    special = ["<unk>", "<s>", "</s>", "[/]", "[A] "]
    trainer = trainers.UnigramTrainer(
        vocab_size=200,
        special_tokens=special,
        unk_token="<unk>",
        initial_alphabet=list(string.printable),
        show_progress=False,
    )
    raw.train_from_iterator(TEXTS * 3, trainer)
    raw.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", raw.token_to_id("<s>"))]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    tokenizer.chat_template = template
    return tokenizer


MADE = {
    "chatml": partial(byte_level, CHATML),
    "trimming": partial(byte_level, TRIMMING),
    "bare": partial(byte_level, None),
    "words": partial(with_beginning, TRIMMING),
    "bare words": partial(with_beginning, None),
    "chain": partial(
        AutoTokenizer.from_pretrained, Path(hdpo_env.__file__).parent / "assets" / "chain_base"
    ),
}


@pytest.fixture(params=list(MADE), scope="module")
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    """Two kinds of tokenizers with several ways of rendering a chat, and the tiny models' own."""
    return MADE[request.param]()


@pytest.fixture(scope="module")
def chatml() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a template that knows ``enable_thinking``."""
    return byte_level(CHATML)
