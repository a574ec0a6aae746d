"""The kernel where a GPU's users bring it: huge sizes, streams, graphs, compilers, checkpoints, several processes."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from benchmarks.gpu.evidence import mean_is
from benchmarks.gpu.findings import NotHere
from benchmarks.gpu.recording import record
from benchmarks.gpu.setting import Setting
from pernodedrop import PerNodeDropConv2d, PerNodeDropLinear
from pernodedrop.backends.drawn import Drawn, drawn
from pernodedrop.backends.stirred_product import stirred_product
from pernodedrop.functional import pernode_linear

ROOT = Path(__file__).parents[2]
RATES = (0.001, 0.05, 0.1, 0.5, 0.9, 0.999)
SIZES = ((1, 1, 1, 1), (3, 1, 33, 17), (9, 1, 129, 31), (2, 5, 40, 7), (3, 17, 65, 33), (2, 65, 31, 9))  # B, T, I, J


def circumstances(setting: Setting) -> Iterator[tuple[str, Callable[[], object]]]:
    """Every check by its name."""
    for sizes in setting.pick(SIZES, SIZES[:2] + SIZES[3:4]):
        named = "B {}, T {}, I {}, J {}".format(*sizes)
        yield f"kernel: one mask in forward and backward, {named}", partial(one_mask, setting, sizes)
    for rate in setting.pick(RATES, (0.05, 0.5)):
        yield f"kernel: factors are kept at rate {rate}", partial(keeps_its_rate, setting, rate)
    checks = (beyond_2_31_factors, beyond_2_31_inputs, streams, graphs, compiled, checkpointed, processes, modules)
    for check in checks:
        assert check.__doc__
        yield f"kernel: {check.__doc__.splitlines()[0].rstrip('.')}", partial(check, setting)


def one_mask(setting: Setting, sizes: tuple[int, int, int, int]) -> None:
    """Output and gradients are those of the mask that unit inputs read off."""
    samples, positions, connections, units = sizes
    x, weight, g = (
        torch.randn(shape, device=setting.device)
        for shape in ((samples, positions, connections), (units, connections), (samples, positions, units))
    )
    seed = torch.tensor([1 << 40 | 7], device=setting.device)
    for factors, _ in (drawn(0.9), drawn(0.4, sigma=0.8)):
        mask = _mask(setting, seed, factors, sizes)
        leaves = x.clone().requires_grad_(), weight.clone().requires_grad_()
        y = stirred_product(*leaves, seed, factors)
        of_x, of_weight = torch.autograd.grad(y, leaves, g)
        for mine, expected in (
            (y, torch.einsum("bti,bji,ji->btj", x, mask, weight)),
            (of_x, torch.einsum("btj,bji,ji->bti", g, mask, weight)),
            (of_weight, torch.einsum("btj,bji,bti->ji", g, mask, x)),
        ):
            torch.testing.assert_close(mine, expected, rtol=1e-3, atol=1e-3)


def _mask(setting: Setting, seed: Tensor, factors: Drawn, sizes: tuple[int, int, int, int]) -> Tensor:
    """The factors (samples, units, connections), read off unit inputs.

    Single positions may be drawn in another way: theirs are read off the weight's gradients of one sample each.
    """
    samples, positions, connections, units = sizes
    weight = torch.ones(units, connections, device=setting.device)
    if positions > 1:
        eye = torch.eye(connections, device=setting.device).expand(samples, connections, connections)
        return stirred_product(eye, weight, seed, factors).transpose(1, 2)
    weight.requires_grad_()
    y = stirred_product(torch.ones(samples, 1, connections, device=setting.device), weight, seed, factors)
    each = [torch.autograd.grad(y[sample].sum(), weight, retain_graph=True)[0] for sample in range(samples)]
    return torch.stack(each)


def keeps_its_rate(setting: Setting, rate: float) -> None:
    """The share of factors above 0 is the rate that the law's bits realize, in every 32nd lane too."""
    factors, met = drawn(1.0 - rate)
    samples, connections = setting.pick((4096, 256), (16, 64))
    x = torch.eye(connections, device=setting.device).expand(samples, connections, connections)
    weight = torch.ones(8, connections, device=setting.device)
    seed = torch.tensor([3], device=setting.device)
    kept = stirred_product(x.contiguous(), weight, seed, factors)
    assert bool(((kept == 0) | (kept == 1)).all()), "a factor is neither 0 nor 1"
    few = 1.0 / (kept.numel() * min(rate, 1.0 - rate))
    # where hardly one factor differs its own error says too little
    mean_is(kept.flatten(), met, slack=few)
    single = stirred_product(torch.ones_like(x[:, :1]), weight, seed, factors)
    mean_is(single.flatten() / connections, met, slack=few)  # of one position a sample, drawn in another way
    lanes = kept.transpose(0, 1).reshape(connections // 32, 32, -1).transpose(0, 1).flatten(1)
    mean_is(lanes.T, met, slack=32 * few)


def beyond_2_31_factors(setting: Setting) -> str:
    """More than 2^31 factors: the last sample and unit have theirs, and the gradients are right."""
    samples, connections, units = setting.pick((2048, 1024, 1100), (8, 64, 33))
    device, seed, (factors, _) = setting.device, torch.tensor([5], device=setting.device), drawn(0.5)
    x, weight = torch.zeros(samples, 1, connections, device=device), torch.randn(units, connections, device=device)
    x[:, :, :32] = torch.randn(samples, 1, 32, device=device)
    whole = stirred_product(x, weight, seed, factors)
    part = stirred_product(x[..., :32].contiguous(), weight[:, :32].contiguous(), seed, factors)
    torch.testing.assert_close(whole, part, rtol=1e-4, atol=1e-4)  # a factor depends on no size
    x = torch.randn_like(x).requires_grad_()
    weight = weight.requires_grad_()
    y = stirred_product(x, weight, seed, factors)
    g = torch.randn_like(y)
    of_x, of_weight = torch.autograd.grad(y, (x, weight), g)
    expected = (g.double() * y.double()).sum()
    scale = float(g.double().norm() * y.double().norm())
    for found in ((of_x.double() * x.double()).sum(), (of_weight.double() * weight.double()).sum()):
        assert abs(float(found - expected)) < 1e-5 * scale, f"{float(found)} is not {float(expected)}"
    last = y[-samples // 4 :, 0, -units // 4 :].detach()
    dense = (x[-samples // 4 :, 0].detach() @ weight[-units // 4 :].detach().T) * 0.5
    own = 0.25 * (x[-samples // 4 :, 0].detach() ** 2) @ (weight[-units // 4 :].detach() ** 2).T
    mean_is(((last - dense) ** 2 / own).flatten(), 1.0)
    return f"{samples * connections * units:,} factors"


def beyond_2_31_inputs(setting: Setting) -> str:
    """More than 2^31 inputs: the last row is read and written where it lies."""
    samples, connections = setting.pick((1 << 20, 2080), (24, 64))
    if setting.device.type == "cuda" and torch.cuda.mem_get_info(setting.device)[0] < samples * connections * 4 * 3.5:
        raise NotHere("less than 31 GB are free on this GPU")
    device, seed, (factors, _) = setting.device, torch.tensor([5], device=setting.device), drawn(0.5)
    x = torch.zeros(samples, 1, connections, device=device)
    x[-1, :, :32] = 1.0
    weight = torch.ones(4, connections, device=device)
    y = stirred_product(x, weight, seed, factors)
    few = stirred_product(x[..., :32].contiguous(), weight[:, :32].contiguous(), seed, factors)
    assert torch.equal(y, few) and bool(y[-1].any()) and not y[:-1].any(), "the last row is not read"
    x.requires_grad_()
    (of_x,) = torch.autograd.grad(stirred_product(x, weight, seed, factors)[-1].sum(), x)
    assert bool(of_x[-1].any()) and not of_x[:-1].any(), "the last row's gradient lies elsewhere"
    return f"{x.numel():,} inputs"


def streams(setting: Setting) -> None:
    """Streams: four at once give what one gives."""
    if setting.device.type != "cuda":
        raise NotHere("streams need a GPU")
    x, weight = torch.randn(512, 1024, device="cuda"), torch.randn(256, 1024, device="cuda")

    def result(seed: int) -> Tensor:
        generator = torch.Generator("cuda").manual_seed(seed)
        return pernode_linear(x, weight, None, 0.1, backend="kernel", generator=generator)

    expected = [result(seed) for seed in range(4)]
    torch.cuda.synchronize()
    side = [torch.cuda.Stream() for _ in range(4)]  # type: ignore[no-untyped-call]
    for _ in range(5):
        found = []
        for seed, stream in enumerate(side):
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                found.append(result(seed))
        torch.cuda.synchronize()
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True)), "a stream gives another result"


def graphs(setting: Setting) -> None:
    """CUDA graphs: each replay draws anew, with one mask in forward and backward, and a seed repeats."""
    if setting.device.type != "cuda":
        raise NotHere("CUDA graphs need a GPU")
    for stir in ("bernoulli", "gaussian", "partial_gaussian"):
        x = torch.randn(64, 256, device="cuda", requires_grad=True)
        layer = PerNodeDropLinear(256, 32, bias=False, drop_rate=0.3, stir_type=stir, device="cuda")
        g = torch.randn(64, 32, device="cuda")

        def step(x: Tensor = x, layer: PerNodeDropLinear = layer, g: Tensor = g) -> tuple[Tensor, ...]:
            y = layer(x)
            return y, *torch.autograd.grad(y, (x, layer.weight), g)

        graph, outputs = record(step)

        def replay(graph: Any = graph, outputs: tuple[Tensor, ...] = outputs) -> tuple[Tensor, ...]:
            graph.replay()
            return tuple(output.clone() for output in outputs)

        torch.cuda.manual_seed(3)
        first, second = replay(), replay()
        torch.cuda.manual_seed(3)
        again = replay()
        assert not torch.equal(first[0], second[0]), f"{stir}: two replays draw one mask"
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)), f"{stir}: the seed does not repeat"
        for y, of_x, of_weight in (first, second):
            expected = (g * y).sum()
            torch.testing.assert_close((of_x * x).sum(), expected, rtol=1e-3, atol=1e-1)
            torch.testing.assert_close((of_weight * layer.weight).sum(), expected, rtol=1e-3, atol=1e-1)


def compiled(setting: Setting) -> None:
    """torch.compile: one graph without a break, the same law, gradients of its own mask."""
    torch.compiler.reset()
    layer = PerNodeDropLinear(64, 8, bias=False, drop_rate=0.3, backend="kernel", device=setting.device)
    ran = torch.compile(layer, fullgraph=True, backend=setting.pick("inductor", "aot_eager"))
    x = torch.randn(1, 64, device=setting.device).repeat(setting.pick(4096, 256), 1).requires_grad_()
    y = ran(x)
    g = torch.randn_like(y)
    of_x, of_weight = torch.autograd.grad(y, (x, layer.weight), g)
    expected = (g * y).sum()
    torch.testing.assert_close((of_x * x).sum(), expected, rtol=1e-3, atol=1e-1)
    torch.testing.assert_close((of_weight * layer.weight).sum(), expected, rtol=1e-3, atol=1e-1)
    mean_is(y.detach(), (x[:1] @ layer.weight.T).double().detach(), slack=1e-4)
    assert not torch.equal(y, ran(x)), "two calls draw one mask"


def checkpointed(setting: Setting) -> None:
    """Gradient checkpointing: the second forward draws the first one's mask."""
    layer = PerNodeDropLinear(64, 8, drop_rate=0.3, backend="kernel", device=setting.device)
    x = torch.randn(16, 64, device=setting.device, requires_grad=True)
    found = []
    for call in (layer, partial(checkpoint, layer, use_reentrant=False)):
        torch.manual_seed(8)
        y = call(x)
        found.append((y, *torch.autograd.grad(y.square().sum(), (x, layer.weight))))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True)), "the gradients are another mask's"


def processes(setting: Setting) -> None:
    """Two processes at once give what this one gives."""
    code = f"from benchmarks.gpu.circumstances import digest; print(digest('{setting.device.type}', {setting.small}))"
    children = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    mine = digest(setting.device.type, setting.small)
    theirs = [child.communicate(timeout=60)[0].strip() for child in children]
    assert theirs == [mine, mine], f"this process has {mine[:8]}, the others {[text[:8] for text in theirs]}"


def digest(device: str, small: bool) -> str:
    """A fingerprint of outputs and gradients, the same in every process."""
    setting = Setting(torch.device(device), small)
    if small:
        setting.take_triton_on_the_cpu()
    generator = torch.Generator().manual_seed(1)
    x, weight = (torch.randn(shape, generator=generator).to(device) for shape in ((32, 1, 128), (16, 128)))
    leaves = x.requires_grad_(), weight.requires_grad_()
    found = hashlib.sha256()
    for repeat in range(setting.pick(50, 1)):
        seed = torch.tensor([repeat], device=device)
        y = stirred_product(*leaves, seed, drawn(0.9)[0])
        for tensor in (y, *torch.autograd.grad(y.sum(), leaves)):
            found.update(tensor.detach().cpu().numpy().tobytes())
    return found.hexdigest()


def modules(setting: Setting) -> None:
    """Modules: every layer trains a step, its loss and gradients finite, after it was moved to the device."""
    from pernodedrop import DropBlock2d, DropConnectLinear, GaussianDropout, Masksembles

    dense: list[nn.Module] = [
        PerNodeDropLinear(64, 64, drop_rate=0.4, stir_type=stir, mask_mode=mode)
        for stir in ("bernoulli", "gaussian", "partial_gaussian")
        for mode in ("dynamic", "fixed")
    ]
    dense += [DropConnectLinear(64, 64, drop_rate=0.4), GaussianDropout(0.4), Masksembles(64, drop_rate=0.4)]
    sequences = PerNodeDropLinear(64, 8, drop_rate=0.4)  # a mask is shared over time
    images = nn.Sequential(PerNodeDropConv2d(2, 4, 3, drop_rate=0.4), DropBlock2d(0.1, 3))
    cases = [(layer, (8, 64)) for layer in dense] + [(sequences, (4, 5, 64)), (images, (2, 2, 9, 9))]
    for layer, shape in cases:
        moved = layer.to(setting.device).train()
        x = torch.randn(shape, device=setting.device, requires_grad=True)
        loss = moved(x).square().mean()
        torch.autograd.backward(loss)
        assert bool(loss.isfinite()), f"{layer}: the loss is not finite"
        assert x.grad is not None and bool(x.grad.isfinite().all()), f"{layer}: the gradient is not finite"
