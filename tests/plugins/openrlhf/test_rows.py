"""Which rollouts are let in, that student and teacher rows line up, and heads that are replaced."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError
from hdpo_plugins.openrlhf import heads
from hdpo_plugins.openrlhf.methods.own_rollouts import gates
from hdpo_plugins.openrlhf.methods.reread import reread


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0, None]), min_size=1, max_size=8))
def test_gates_follow_the_sign_of_the_advantage(rewards):
    """In above the mean, out below it and at it; a group without spread has no advantage."""
    known = [r for r in rewards if r is not None]
    mean = sum(known) / max(1, len(known))
    assert gates(rewards, "positive_advantage") == [r is not None and r > mean for r in rewards]
    assert gates(rewards, "any_advantage") == [r is not None and r != mean for r in rewards]
    assert gates(rewards, "all") == [r is not None for r in rewards]
    assert not any(gates(rewards, "none"))


def test_a_tie_in_floating_point_is_a_tie():
    """0.1 repeated has a mean that differs from 0.1 in the last place; nobody is above it."""
    assert not any(gates([0.1] * 10, "positive_advantage"))


@st.composite
def micro_batches(draw):
    """Right-padded rollouts, some with a turn of an environment between two actions."""
    size = draw(st.integers(1, 4))
    rows = []
    for i in range(size):
        prompt = draw(st.lists(st.integers(2, 9), min_size=1, max_size=4))
        actions = draw(st.lists(st.booleans(), max_size=4))
        rows.append((prompt, [True, *actions], draw(st.booleans()), f"p{i}"))
    width = max(len(p) + len(a) for p, a, _, _ in rows)
    ids = torch.zeros(size, width, dtype=torch.long)
    seen, acted = torch.zeros_like(ids), torch.zeros(size, width - 1, dtype=torch.long)
    for b, (prompt, actions, _, _) in enumerate(rows):
        length = len(prompt) + len(actions)
        ids[b, :length] = 10 * (b + 1) + torch.arange(length)  # every token is told apart
        seen[b, :length] = 1
        acted[b, len(prompt) - 1 : length - 1] = torch.tensor(actions).long()
    return SimpleNamespace(
        sequences=ids,
        attention_mask=seen,
        action_mask=acted,
        prompts=[row[3] for row in rows],
        labels=["1"] * size,
        info={"g": [torch.tensor(float(row[2])) for row in rows]},
    )


@given(micro_batches(), st.booleans())
def test_student_and_teacher_rows_are_the_same_tokens_in_the_same_order(experience, partitioned):
    """Token by token, whatever the prompts' lengths, gates and environment turns; packed too."""
    prompts = {(name, "1"): [3] * (2 + i) for i, name in enumerate(experience.prompts)}
    prompts |= {(name, "2"): [4] for name in experience.prompts}  # another question
    longest = max(len(ids) for ids in prompts.values()) + experience.sequences.shape[1]
    worker = SimpleNamespace(pad_id=0, is_partitioned=partitioned, args={"data.max_len": longest})
    found = reread(experience, prompts, "g", worker, {})
    gated = [b for b, g in enumerate(experience.info["g"]) if g > 0]
    if not gated and not partitioned:
        assert found is None
        return
    wanted = [
        int(experience.sequences[b, t + 1])
        for b in gated
        for t in range(experience.action_mask.shape[1])
        if experience.action_mask[b, t]
    ]
    assert found.targets.tolist() == wanted
    assert found.batch.target[found.is_action].tolist() == wanted
    assert found.batch.input_ids.shape[0] == max(1, len(gated))
    # what the student's head reads, padded or packed: here a state is its own token's id
    states = experience.sequences[..., None].float()
    packed = states[experience.attention_mask.bool()][None]
    predictors = [w - 1 for w in wanted]
    assert found.of_student(states)[:, 0].tolist() == predictors
    assert found.of_student(packed)[:, 0].tolist() == predictors
    assert found.of_actions(experience.sequences[:, :-1]).tolist() == predictors


def test_a_rollout_that_is_too_long_for_the_teacher_is_left_out():
    """Its prompt and the completion must fit --data.max_len together; it is counted, not cut."""
    experience = SimpleNamespace(
        sequences=torch.tensor([[5, 6, 7], [5, 6, 0]]),
        attention_mask=torch.tensor([[1, 1, 1], [1, 1, 0]]),
        action_mask=torch.tensor([[1, 1], [1, 0]]),
        prompts=["a", "b"],
        labels=["1", "1"],
        info={"g": [torch.tensor(1.0)] * 2},
    )
    worker = SimpleNamespace(pad_id=0, is_partitioned=False, args={"data.max_len": 4})
    prompts = {("a", "1"): [1, 1, 1], ("b", "1"): [1, 1, 1]}
    sums = {"left_out": 0.0}
    assert reread(experience, prompts, "g", worker, sums).targets.tolist() == [6]
    assert sums == {"left_out": 1.0}


@pytest.fixture(scope="module")
def model():
    from hdpo_env.policies.tiny import tiny_model

    return tiny_model(seed=0, hidden=32, heads=2)


class Engine(torch.nn.Module):
    """As DeepSpeed's: the model under ``module``."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)


def test_a_replaced_head_gives_the_gradients_of_the_logits_it_avoids(model):
    """The loss inside the head's call equals the loss on the logits, and so do all gradients."""
    from hdpo_env.batching import token_batch
    from hdpo_env.losses import head_loss

    batch = token_batch([[5, 6], [7, 8, 9]], [[3, 4, 1], [2]], pad_id=0)
    head = heads.output_head(model)

    def nll(h, W, bias):
        return head_loss(h, W, batch.target, lambda logprobs, rows: -logprobs, bias=bias).loss

    model.zero_grad()
    found = heads.run(Engine(model), head, batch, nll)
    found.backward()
    mine = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    mask = batch.attention_mask.long()
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    logits = model(batch.input_ids, attention_mask=mask, position_ids=positions).logits
    wanted = torch.nn.functional.cross_entropy(batch.gather(logits), batch.target, reduction="sum")
    wanted.backward()
    assert torch.allclose(found, wanted, rtol=1e-5)
    for name, parameter in model.named_parameters():
        assert torch.allclose(mine[name], parameter.grad, rtol=1e-4, atol=1e-6), name


def test_the_head_is_put_back_even_after_an_error(model):
    """Whatever happens inside, the next forward pass is the model's own."""
    from hdpo_env.batching import token_batch

    batch, head = token_batch([[5]], [[3]], pad_id=0), heads.output_head(model)
    before = model(batch.input_ids).logits

    def fail(h, W, bias):
        raise KeyError("inside")

    with pytest.raises(KeyError):
        heads.run(Engine(model), head, batch, fail)
    assert "forward" not in head.__dict__
    assert torch.equal(model(batch.input_ids).logits, before)


def test_reading_takes_no_gradient_and_leaves_the_mode_alone(model):
    """A teacher reads in evaluation mode; whoever was training goes on training."""
    from hdpo_env.batching import token_batch

    engine = Engine(model).train()
    batch, modes = token_batch([[5]], [[3, 4]], pad_id=0), []

    def states(h, W, bias):
        modes.append((engine.training, torch.is_grad_enabled()))
        return (h,)

    (found,) = heads.read(engine, heads.output_head(model), batch, states)
    assert modes == [(False, False)]
    assert engine.training
    assert not found.requires_grad
    assert found.shape == (2, 32)


def test_the_first_pass_of_a_worker_refuses_what_the_rows_would_not_see(model):
    """A cap far above these logits, told by one pass; LoRA on the head is no linear map either."""
    from types import MethodType

    engine = Engine(model).train()
    assert heads.checked_head(engine, "cpu") is model.get_output_embeddings()
    assert engine.training
    forward = model.forward

    def capped(self, *args, **kwargs):
        output = forward(*args, **kwargs)
        output["logits"] = 30 * torch.tanh(output["logits"] / 30)
        return output

    model.forward = MethodType(capped, model)
    try:
        with pytest.raises(ConfigError, match=r"changes logits after its head \(1000 becomes 30,"):
            heads.checked_head(engine, "cpu")
    finally:
        del model.forward
    wrapped = SimpleNamespace(get_output_embeddings=lambda: torch.nn.Identity(), config=None)
    with pytest.raises(ConfigError, match="leave lm_head out of LoRA's target_modules"):
        heads.output_head(wrapped)
