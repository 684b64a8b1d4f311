"""A character-level language model small enough to train on a laptop, as a real Hugging Face model.

The tokenizer's chat template writes the messages' texts one after the other and then ``=``: the
student's prompt is ``Q3#7=``, the teacher's ``P3#7|0=``, and completions end with ``.``.
"""

from __future__ import annotations

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from hdpo_env.policies.hf import HFPolicy

ALPHABET = "0123456789+#*@|QP="
EOS, PAD = ".", "_"
_CHAT_TEMPLATE = (
    "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}={% endif %}"
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """One token a character of ``ALPHABET``; ``.`` ends a completion, ``_`` pads.

    >>> tiny_tokenizer().decode(tiny_tokenizer()("Q3#7=")["input_ids"])
    'Q3#7='
    """
    vocab = {c: i for i, c in enumerate(PAD + EOS + ALPHABET)}
    backend = Tokenizer(models.WordLevel(vocab, unk_token=PAD))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    backend.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=EOS, pad_token=PAD, chat_template=_CHAT_TEMPLATE
    )


def tiny_model(
    *, seed: int, hidden: int = 96, layers: int = 2, heads: int = 4, vocab_size: int = 20
) -> GPT2LMHeadModel:
    """A randomly initialised GPT-2 of about 0.23 million parameters (at the defaults).

    Learned absolute positions make a chain's j-th operand easy to find; with rotary ones this size
    of model did not learn the tables.
    """
    config = GPT2Config(
        vocab_size=vocab_size,
        n_positions=128,
        n_embd=hidden,
        n_layer=layers,
        n_head=heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):  # transformers initialises from the global generator
        torch.manual_seed(seed)
        return GPT2LMHeadModel(config).eval()


def tiny_policy(*, seed: int, **size: int) -> HFPolicy:
    """An untrained tiny policy with the tiny tokenizer."""
    return HFPolicy(tiny_model(seed=seed, **size), tiny_tokenizer())
