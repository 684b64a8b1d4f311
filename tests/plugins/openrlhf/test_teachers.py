"""The averaged teacher: what it averages, and that reading with it leaves the policy as it was."""

import copy
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hdpo_env.config import DistillConfig
from hdpo_env.errors import ConfigError
from hdpo_plugins.openrlhf.teachers import Teachers, WeightAverage


def language_model(dtype=torch.float32, seed=0):
    """An embedding tied to its head, with a layer that is not trained between them."""
    torch.manual_seed(seed)
    body, head = torch.nn.Linear(6, 6), torch.nn.Linear(6, 9, bias=False)
    net = torch.nn.Sequential(torch.nn.Embedding(9, 6), body, torch.nn.LayerNorm(6), head)
    head.weight = net[0].weight
    body.requires_grad_(False)
    return net.to(dtype)


@settings(deadline=None, max_examples=30)
@given(
    decay=st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    updates=st.integers(0, 300),
    size=st.sampled_from([1e-6, 1e-2]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    seed=st.integers(0, 10),
)
def test_the_average_is_the_closed_form(decay, updates, size, dtype, seed):
    """After n updates it is d^n w_0 + (1 - d) sum_k d^(n - k) w_k, summed here in float64.

    Each update rounds once to float32, an error of |w| 2^-24, which later ones shrink by d: at most
    |w| 2^-24 / (1 - d) together. With steps of 1e-6 |w| an average in bfloat16, whose numbers are
    at least |w| / 256 apart, never leaves w_0.
    """
    draw = torch.Generator().manual_seed(seed)
    net = language_model(dtype)
    average = WeightAverage(net, decay)
    start = net[0].weight.detach().double().clone()
    path = [start]
    for _ in range(updates):
        step = 1 + size * torch.rand(start.shape, generator=draw, dtype=torch.float64)
        with torch.no_grad():
            net[0].weight.copy_(path[-1] * step)
        path.append(net[0].weight.detach().double())
        average.update()
    wanted = decay**updates * start
    for k, weight in enumerate(path[1:], start=1):
        wanted = wanted + (1 - decay) * decay ** (updates - k) * weight
    assert average.means["0.weight"].dtype == torch.float32
    error = (average.means["0.weight"] - wanted).abs()
    allowed = 1.1 * torch.stack(path).abs().amax(0) * 2**-24 / (1 - decay)
    assert bool((error <= allowed).all())


def moved(dtype=torch.bfloat16):
    """A model and its average, which lags behind it."""
    net = language_model(dtype)
    average = WeightAverage(net, 0.75)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    average.update()
    return net, average


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("is_broken", [False, True])
def test_reading_leaves_every_bit_where_it_was(dtype, is_broken):
    """Inside, the model is a copy with the averaged weights; afterwards its own, errors or not."""
    net, average = moved(dtype)
    ids = torch.arange(9)
    own = {n: (p.data_ptr(), p.detach().clone()) for n, p in net.named_parameters()}
    twin = copy.deepcopy(net)
    with torch.no_grad():
        for name, parameter in twin.named_parameters():
            parameter.copy_(average.means.get(name, parameter))
    try:
        with average.in_place(), torch.no_grad():
            assert torch.equal(net(ids), twin(ids))
            assert net[3].weight is net[0].weight  # tied as ever
            kept = net[3].weight.detach()
            if is_broken:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert is_broken
    for name, parameter in net.named_parameters():
        pointer, value = own[name]
        assert parameter.data_ptr() == pointer
        assert torch.equal(parameter, value), name
    assert set(average.means) == {"0.weight", "2.weight", "2.bias"}  # each once, the trained ones
    assert torch.equal(kept, twin[3].weight)
    assert not torch.equal(net(ids), twin(ids))


def test_a_gradient_that_is_waiting_is_not_disturbed():
    """A forward pass, a reading, the backward pass: the gradient of the policy's own weights."""
    net, average = moved(torch.float32)
    ids = torch.arange(9)
    net(ids).square().sum().backward()
    wanted = {n: p.grad.clone() for n, p in net.named_parameters() if p.requires_grad}
    net.zero_grad()
    loss = net(ids).square().sum()
    with average.in_place(), torch.no_grad():
        net(ids)
    loss.backward()
    for name, gradient in wanted.items():
        assert torch.equal(net.get_parameter(name).grad, gradient)


def test_a_checkpoint_without_the_average_is_refused_with_what_it_holds():
    """Resumed with another decay, without an average, or with another model's."""
    engine = SimpleNamespace(module=language_model(), optimizer=None, global_steps=0)
    teachers, others = Teachers(engine, has_base=False), Teachers(engine, has_base=False)
    teachers.weights(DistillConfig(teacher="ema", ema_decay=0.9))
    others.weights(DistillConfig(teacher="ema", ema_decay=0.5))
    with pytest.raises(ConfigError, match=r"ema_decay 0\.9, and the checkpoint's are of 0\.5"):
        teachers.load_state(others.state())
    with pytest.raises(ConfigError, match="of none: resume with the teacher"):
        teachers.load_state({})
    smaller = {0.9: {"0.weight": torch.zeros(2, 2)}}
    with pytest.raises(ConfigError, match="another number of ranks"):
        teachers.load_state(smaller)
    saved = copy.deepcopy(teachers.state())
    with torch.no_grad():
        engine.module[0].weight.add_(1)
    engine.global_steps = 1
    teachers.after_micro_step()
    assert not torch.equal(teachers.state()[0.9]["0.weight"], saved[0.9]["0.weight"])
    teachers.load_state(saved)
    assert torch.equal(teachers.state()[0.9]["0.weight"], saved[0.9]["0.weight"])
