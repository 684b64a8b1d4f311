"""Gradient truth: what DeepSpeed's ranks are about to apply, against one process in float32."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.host
HERE = Path(__file__).resolve().parent
BASE = {
    "vllm.num_engines": 1,
    "reward.remote_url": "unused.py",
    "rollout.n_samples_per_prompt": 2,
    "rollout.batch_size": 4,
    "rollout.micro_batch_size": 2,
    "train.batch_size": 8,
    "train.micro_batch_size": 2,
    "actor.num_gpus_per_node": 2,
    "algo.advantage.estimator": "group_norm",
    "algo.kl.init_coef": 0,
    "actor.max_norm": 0,
    "ds.attn_implementation": "eager",
    "actor.adam.lr": 1e-3,
}
BOTH = {"hdpo.lambda": 0.5, "hdpo.top_k": 6, "sdpg.beta": 0.3, "sdpg.warmup_steps": 0}
BOTH |= {"sdpg.decay_steps": 0}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A random model whose logits are far from uniform, in bfloat16 as OpenRLHF loads it."""
    from hdpo_env.policies.tiny import tiny_policy

    policy = tiny_policy(seed=3, hidden=64, heads=2)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in policy.module.parameters():
            noise = torch.randn(parameter.shape, generator=draw) * 0.15
            parameter.add_(noise if parameter.dim() > 1 else 0 * noise)
            parameter.copy_(parameter.bfloat16())
    folder = tmp_path_factory.mktemp("model")
    policy.save(folder)
    return folder


@pytest.fixture(scope="module")
def net(model):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(
        model, dtype=torch.float32, attn_implementation="eager"
    )


def logits_of(net, prompt, completion, temperature=1.0):
    """[T, V]: what predicts each completion token."""
    ids = torch.tensor([[*prompt, *completion]])
    return net(ids).logits[0, len(prompt) - 1 : -1] / temperature


def rollouts_of(net, count, seed, temperature):
    """Random rollouts of two prompts; half have a positive advantage and are gated in."""
    draw = torch.Generator().manual_seed(seed)
    found = []
    for i in range(count):
        prompt = torch.randint(2, 20, (4 + seed % 2,), generator=draw).tolist()
        completion = torch.randint(1, 20, (3 + i,), generator=draw).tolist()
        with torch.no_grad():
            dist = logits_of(net, prompt, completion, temperature).log_softmax(-1)
        old = dist.gather(-1, torch.tensor(completion)[:, None])[:, 0].tolist()
        good = i % 2 == 0
        row = {"prompt": prompt, "completion": completion, "old": old, "text": f"p{seed}-{i}"}
        found.append(row | {"advantage": 0.8 if good else -0.6, "gate": good, "reward": good * 1.0})
    return found


def pairs_of(count, seed):
    """Survivors of different lengths: the student's prompt, the teacher's, the completion."""
    draw = torch.Generator().manual_seed(100 + seed)
    part = lambda size: torch.randint(2, 20, (size,), generator=draw).tolist()
    return [[part(4), part(9 + i), part(2 + 2 * i)] for i in range(count)]


def flags_of(model, plugins, **changed):
    given = {"actor.model_name_or_path": model, **BASE, **changed}
    flags = [x for name, value in given.items() for x in (f"--{name}", str(value))]
    return flags + [x for name in plugins for x in ("--plugin", name)]


def run(spec, folder):
    """Run ranks.py in the CPU stack; what rank 0 wrote."""
    folder.mkdir(exist_ok=True)
    spec = {**spec, "out": str(folder / "out.pt")}
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    command = [sys.executable, str(HERE / "cpu.py"), str(HERE / "ranks.py"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return torch.load(spec["out"], weights_only=True)


def expected(net, spec, *, weight, beta, top_k, temperature=1.0):
    """The gradient of the definition, in float32 on full logits, by autograd."""
    from hdpo_env.losses import reference

    net.zero_grad()
    rows = [r for rank in spec["rollouts"] for r in rank]
    tokens = sum(len(r["completion"]) for r in rows)
    total = torch.zeros(())
    for r in rows:
        logits = logits_of(net, r["prompt"], r["completion"], temperature)
        chosen = torch.tensor(r["completion"])[:, None]
        logp = logits.log_softmax(-1).gather(-1, chosen)[:, 0]
        ratio = (logp - torch.tensor(r["old"])).exp()
        total = total - (ratio * r["advantage"]).sum() / tokens  # nothing is clipped at ratio 1
        if beta and r["gate"]:
            with torch.no_grad():
                teacher = logits_of(net, spec["prompts"][r["text"]], r["completion"], temperature)
            kl = reference.kl_student_teacher(logits, teacher)
            total = total + beta * (ratio.detach() * kl).sum() / tokens
    pairs = [p for rank in spec["pairs"] for p in rank]
    distilled = sum(len(completion) for _, _, completion in pairs)
    for prompt, privileged, completion in pairs if weight else []:
        with torch.no_grad():
            dist = logits_of(net, privileged, completion, temperature).log_softmax(-1)
        top, ids = dist.topk(top_k, dim=-1)
        logits = logits_of(net, prompt, completion, temperature)
        jsd = reference.topk_jsd(logits, ids, top)
        total = total + weight * jsd.sum() / distilled
    total.backward()
    return {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


def compared(found, wanted):
    """Cosine and ratio of norms of all gradients together."""
    assert set(found) == set(wanted)
    mine = torch.cat([found[name].flatten().double() for name in wanted])
    theirs = torch.cat([wanted[name].flatten().double() for name in wanted])
    cosine = torch.nn.functional.cosine_similarity(mine, theirs, dim=0)
    return float(cosine), float(mine.norm() / theirs.norm())


@pytest.mark.slow
@pytest.mark.parametrize("stage", [2, 3])
def test_the_gradient_of_two_uneven_ranks_is_that_of_the_definition(stage, model, net, tmp_path):
    """All pairs on rank 0, none on rank 1, two micro-steps: policy + HDPO + SDPG in one backward.

    The reference is one process on full logits by autograd. Both sides compute in float32: in
    bfloat16 rounding alone costs 1e-4 of the cosine.
    """
    rollouts = [rollouts_of(net, 4, seed, 0.8) for seed in (1, 2)]
    prompts = {r["text"]: [5, 6, 7, *r["prompt"]] for rank in rollouts for r in rank}
    spec = {
        "flags": flags_of(
            model, ["hdpo", "sdpg"], **BOTH, **{"ds.zero_stage": stage, "rollout.temperature": 0.8}
        ),
        "rollouts": rollouts,
        "pairs": [pairs_of(3, 0), []],
        "prompts": prompts,
        "float32": True,
    }
    found = run(spec, tmp_path / "run")
    wanted = expected(net, spec, weight=0.5, beta=0.3, top_k=6, temperature=0.8)
    cosine, ratio = compared(found["gradients"], wanted)
    assert cosine >= 0.9999
    assert abs(ratio - 1) <= 1e-3
    # and the terms matter: without them the same comparison fails
    for terms in ({"weight": 0.0, "beta": 0.3}, {"weight": 0.5, "beta": 0.0}):
        other = expected(net, spec, **terms, top_k=6, temperature=0.8)
        assert compared(found["gradients"], other)[0] < 0.999
