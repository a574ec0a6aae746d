"""Models of the layers in two processes: wrapped by torch's own ways, or refused in one line."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn

from pernodedrop import DropConnectLinear, PerNodeDropConv2d, PerNodeDropLinear, held_noise, regularize


def _model() -> nn.Sequential:
    """The same weights in every process."""
    torch.manual_seed(1)
    model = nn.Sequential(
        PerNodeDropConv2d(2, 4, 3, groups=2),
        nn.Flatten(),
        PerNodeDropLinear(64, 8),
        DropConnectLinear(8, 8),
        PerNodeDropLinear(8, 8, mask_mode="fixed"),
        nn.Linear(8, 3),
    )
    regularize(model, "pernodedrop", where=5)
    torch.manual_seed(2 + distributed.get_rank())  # and other noise
    return model


def _gathered(own: Tensor) -> list[Tensor]:
    found = [torch.empty_like(own) for _ in range(2)]
    distributed.all_gather(found, own)
    return found


def _replicated(x: Tensor) -> None:
    model = _model()
    wrapped = nn.parallel.DistributedDataParallel(model)
    with held_noise(model):
        y = wrapped(x)
        assert torch.equal(wrapped(x), y)
    assert not torch.equal(*_gathered(y.detach()))
    wrapped(x).square().mean().backward()
    for parameter in model.parameters():
        assert torch.equal(*_gathered(parameter.grad))


def _sharded(x: Tensor) -> None:
    """In mixed precision, where weights are cast and buffers are not."""
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    model, policy = _model(), MixedPrecisionPolicy(param_dtype=torch.bfloat16)
    whole = _model().eval()(x)
    for layer in (*model[2:], model):
        fully_shard(layer, mp_policy=policy)
    y = model(x)
    y.float().square().mean().backward()
    assert y.dtype == torch.bfloat16
    assert all(parameter.grad.to_local().isfinite().all() for parameter in model.parameters())
    torch.testing.assert_close(model.eval()(x).float(), whole, rtol=0.05, atol=0.05)


def _cut(x: Tensor) -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

    mesh, rows = init_device_mesh("cpu", (2,)), x.flatten(1)[:, :8]
    for layer in (PerNodeDropLinear(8, 4), PerNodeDropLinear(8, 4, backend="mask"), DropConnectLinear(8, 4)):
        model = nn.Sequential(layer)
        parallelize_module(model, mesh, {"0": ColwiseParallel()})
        with pytest.raises(RuntimeError, match=r"^the weight is a DTensor, .*: leave the layer out of the plan of .*$"):
            model(rows)
        assert model.eval()(rows).shape == (6, 2)


WAYS: dict[str, Callable[[Tensor], None]] = {"replicated": _replicated, "sharded": _sharded, "cut": _cut}


def _run(rank: int, way: str, file: str) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    try:
        WAYS[way](torch.randn(6, 2, 6, 6, generator=torch.Generator().manual_seed(3)))
    finally:
        distributed.destroy_process_group()


@pytest.mark.parametrize("way", WAYS)
def test_two_processes(way: str, tmp_path: Path) -> None:
    multiprocessing.spawn(_run, (way, str(tmp_path / "rendezvous")), nprocs=2)
