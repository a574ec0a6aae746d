"""`regularize` on real models: their weights stay, the noise comes and goes."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import DropConnectLinear, PerNodeDropLinear, regularize

REGULARIZERS = ["dropout", "gaussian_dropout", "dropconnect", "masksembles", "pernodedrop"]


class LstmClassifier(nn.Module):
    """Tokens to classes by the last hidden state."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.lstm = nn.LSTM(16, 16, batch_first=True)
        self.head = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.lstm(self.embedding(tokens))
        return self.head(states[:, -1])


def encoder() -> tuple[nn.Module, Tensor]:
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, 2), torch.randn(8, 5, 16)


def lstm() -> tuple[nn.Module, Tensor]:
    return LstmClassifier(), torch.randint(20, (8, 7))


def bert() -> tuple[nn.Module, Tensor]:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=50,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config), torch.randint(50, (8, 6))


def vit() -> tuple[nn.Module, Tensor]:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=16,
        patch_size=8, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return transformers.ViTForImageClassification(config), torch.randn(8, 3, 16, 16)


def resnet() -> tuple[nn.Module, Tensor]:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
    return transformers.ResNetForImageClassification(config), torch.randn(8, 3, 32, 32)


def output(model: nn.Module, x: Tensor) -> Tensor:
    y = model(x)
    return y if isinstance(y, Tensor) else y.logits


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("build", [encoder, lstm, bert, vit, resnet])
def test_real_models(build: Callable[[], tuple[nn.Module, Tensor]], regularizer: str) -> None:
    model, x = build()
    model.eval()
    plain = output(model, x).detach()
    own, state = list(model.parameters()), copy.deepcopy(model.state_dict())
    changed = regularize(model, regularizer, drop_rate=0.3)
    assert changed.layers
    assert all(mine is theirs for mine, theirs in zip(own, model.parameters(), strict=True))
    if regularizer != "masksembles":  # its masks stay in evaluation
        torch.testing.assert_close(output(model, x), plain)
    model.train()
    noisy = output(model, x)
    assert not torch.allclose(noisy, plain, atol=1e-4)
    noisy.square().sum().backward()
    assert all(parameter.grad is not None for layer in changed.layers.values() for parameter in layer.parameters())
    changed.undo()
    model.load_state_dict(state)  # the same names; batch normalization has moved meanwhile
    torch.testing.assert_close(output(model.eval(), x), plain)
    assert not [module for module in model.modules() if type(module).__module__.startswith("pernodedrop")]


def test_fused_inference_does_not_skip_fixed_masks() -> None:
    """nn.TransformerEncoderLayer's fast path reads the weights; the masked layers must be called all the same."""
    model, x = encoder()
    regularize(model, mask_mode="fixed", drop_rate=0.5)
    with torch.no_grad():
        evaluated = model.eval()(x)
        trained = model.train()(x)
    torch.testing.assert_close(evaluated, trained)


@pytest.mark.parametrize(
    "where, expected",
    [
        (None, ["head.0", "head.2"]),
        ("head.2", ["head.2"]),
        ("*.0", ["head.0"]),
        (nn.Linear, ["head.0", "head.2"]),
        (lambda name, layer: layer.out_features == 4, ["head.2"]),
    ],
)
def test_where(where: object, expected: list[str]) -> None:
    model, _ = lstm()
    assert list(regularize(model, where=where).layers) == expected


def test_where_nothing_is_chosen() -> None:
    model, _ = lstm()
    with pytest.raises(ValueError, match=r"where='lstm\.\*' chooses no nn\.Linear or nn\.Conv2d of LstmClassifier"):
        regularize(model, where="lstm.*")
    with pytest.raises(ValueError, match="drop_rate must lie"):
        regularize(model, drop_rate=1.0)
    assert not isinstance(model.head[0], PerNodeDropLinear)


def test_attention_projection_is_left_alone() -> None:
    model, _ = encoder()
    changed = regularize(model, where=nn.Linear)
    assert not [name for name in changed.layers if name.endswith("out_proj")]


def test_settings_reach_the_layers() -> None:
    model, _ = lstm()
    changed = regularize(
        model, stir_type="partial_gaussian", noisy_fraction=0.2, drop_rate=0.3, share_time=False, backend="mask"
    )
    layer = changed.layers["head.0"]
    assert isinstance(layer, PerNodeDropLinear)
    assert (layer.stir.name, layer.stir.noisy_fraction, layer.stir.drop_rate) == ("partial_gaussian", 0.2, 0.3)
    assert (layer.share_time, layer.backend) == (False, "mask")


def test_training_between_stays_after_undo() -> None:
    model, x = lstm()
    changed = regularize(model, "dropconnect")
    assert isinstance(model.head[0], DropConnectLinear)
    model(x).sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    trained = model.head[0].weight.detach().clone()
    changed.undo()
    changed.undo()  # a second time changes nothing
    assert type(model.head[0]) is nn.Linear
    assert torch.equal(model.head[0].weight, trained)


def test_shared_layer_stays_shared() -> None:
    dense = nn.Linear(4, 4)
    model = nn.Sequential(dense, nn.ReLU(), dense)
    regularize(model)
    assert model[0] is model[2]


def test_none_changes_nothing() -> None:
    model, _ = lstm()
    assert regularize(model, "none").layers == {}
