"""Facts about CNN + RNN: the recurrences written out, masks, summaries, ready-made features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from golden import largest_difference
from network_checks import assert_exports, assert_gradients_flow, assert_runs_in_bfloat16
from seeded import seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models import create_model, load_pretrained, load_weights, save_pretrained
from scenewise.models.backbones.cnn_rnn import CnnRnn
from scenewise.models.backbones.resnet2d import ResNet2d

TINY = (2, 8, 3, 64, 64)


def over_features(**options: Any) -> CnnRnn:
    """Only the recurrent part: 5 numbers a frame, 4 hidden."""
    network = create_model(
        "cnn_lstm_resnet50", num_classes=3, frames="none", inputs=5, hidden=4, **options
    ).eval()
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict(seeded_state(shapes, scales={r"weight_[ih]h_l": 0.8}))
    assert isinstance(network, CnnRnn)
    return network


def written_out(network: CnnRnn, features: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs (T, D') of one clip (T, D) and the last layer's ends (D'), gate by gate.

    LSTM: i, f, o = sigmoid, g = tanh, c = f c + i g, h = o tanh(c) (Hochreiter and Schmidhuber
    1997). GRU: r, z = sigmoid, n = tanh(W x + r (U h + b)), h = (1 - z) n + z h (Cho et al. 2014).
    """
    inputs = list(features)
    ends: list[Tensor] = []
    directions = ("", "_reverse") if network.rnn.bidirectional else ("",)
    for layer in range(network.rnn.num_layers):
        ways = []
        for way in directions:
            weights = [
                network.rnn.get_parameter(f"{name}_l{layer}{way}")
                for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
            ]
            order = inputs if way == "" else inputs[::-1]
            outputs = _one_way(isinstance(network.rnn, nn.LSTM), weights, order)
            ends = [*ends, outputs[-1]]
            ways.append(outputs if way == "" else outputs[::-1])
        inputs = [torch.cat(parts) for parts in zip(*ways, strict=True)]
    return torch.stack(inputs), torch.cat(ends[-len(directions) :])


def _one_way(is_lstm: bool, weights: Sequence[Tensor], inputs: list[Tensor]) -> list[Tensor]:
    from_input, input_bias, from_state, state_bias = weights
    hidden = cell = torch.zeros(from_state.shape[1])
    outputs = []
    for x in inputs:
        seen, kept = from_input @ x + input_bias, from_state @ hidden + state_bias
        if is_lstm:
            enter, forget, new, leave = (seen + kept).chunk(4)
            cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
            hidden = leave.sigmoid() * cell.tanh()
        else:
            (r_seen, z_seen, n_seen), (r_kept, z_kept, n_kept) = seen.chunk(3), kept.chunk(3)
            new = (n_seen + (r_seen + r_kept).sigmoid() * n_kept).tanh()
            update = (z_seen + z_kept).sigmoid()
            hidden = (1.0 - update) * new + update * hidden
        outputs.append(hidden)
    return outputs


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("summary", ["mean", "last"])
def test_parity_with_the_recurrences_written_out(
    cell: str, bidirectional: bool, layers: int, summary: str
) -> None:
    network = over_features(cell=cell, bidirectional=bidirectional, layers=layers, summary=summary)
    features = seeded_input("features", (3, 6, 5))
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2, [True] + [False] * 5])
    with torch.no_grad():
        for given, lengths in ((None, (6, 6, 6)), (mask, (6, 4, 1))):
            expected = []
            for clip, length in zip(features, lengths, strict=True):
                outputs, end = written_out(network, clip[:length])
                expected.append(outputs.mean(dim=0) if summary == "mean" else end)
            wanted = torch.stack(expected)
            assert wanted.std() > 0.05
            assert largest_difference(network.features(features, given), wanted) < 1e-5
            logits = network.classifier(wanted)
            assert largest_difference(network(features, given), logits) < 1e-5


def test_parity_is_lost_by_any_change() -> None:
    network = over_features(bidirectional=True, layers=2)
    features = seeded_input("features", (3, 6, 5))
    with torch.no_grad():
        before = network(features)
        for name, parameter in network.named_parameters():
            kept = parameter.clone()
            parameter.add_(0.1)
            assert largest_difference(network(features), before) > 1e-4, name
            parameter.copy_(kept)


def tiny(**options: Any) -> CnnRnn:
    network = create_model("cnn_rnn_tiny", **options).eval()
    own = {key: value for key, value in network.state_dict().items() if value.is_floating_point()}
    shapes = {key: tuple(value.shape) for key, value in own.items()}
    network.load_state_dict(seeded_state(shapes), strict=False)
    assert isinstance(network, CnnRnn)
    return network


def test_clips_and_their_features_give_the_same() -> None:
    network = tiny()
    clips = seeded_input("clips", TINY)
    with torch.no_grad():
        each = torch.stack([network.frame_features(clips[:, [t]])[:, 0] for t in range(8)], dim=1)
        assert largest_difference(network(clips), network(each)) < 1e-5
        assert network(clips).std() > 1e-2


@pytest.mark.parametrize("training", [False, True])
def test_frames_that_fill_up_change_nothing(training: bool) -> None:
    """Not even the norms of training see them; theirs may be any numbers."""
    network = tiny(bidirectional=True, summary="last").train(training)
    clips = seeded_input("clips", (2, 5, 3, 64, 64))
    filled = clips.clone()
    filled[0, 3:] = torch.nan
    mask = torch.tensor([[True] * 3 + [False] * 2, [True] * 5])
    other = filled.clone()
    other[0, 3:] = 1e6
    with torch.no_grad():
        one, two = network(filled, mask), network(other, mask)
        assert bool(one.isfinite().all())
        assert torch.equal(one, two)
        if not training:
            assert largest_difference(one[:1], network(clips[:1, :3])) < 1e-5


def test_masks_that_make_no_sense_are_refused() -> None:
    network = over_features()
    features = torch.zeros(1, 3, 5)
    for mask in ([[True, False, True]], [[False, False, False]]):
        with pytest.raises(ValueError, match="one real frame at least"):
            network(features, torch.tensor(mask))
    with pytest.raises(ValueError, match=r"the mask is \(1, 3\)"):
        network(features, torch.ones(1, 4, dtype=torch.bool))


def test_inputs_and_options_that_do_not_fit_are_refused() -> None:
    network = over_features()
    with pytest.raises(ValueError, match=r"takes features \(B, T, 5\)"):
        network(torch.zeros(1, 3, 3, 32, 32))
    with pytest.raises(ValueError, match=r"clips \(B, T, 3, H, W\) or features"):
        tiny()(torch.zeros(1, 3, 5))
    for option, value in (("cell", "rnn"), ("summary", "max"), ("frames", "vgg")):
        with pytest.raises(UsageError, match=option):
            create_model("cnn_lstm_resnet50", **{option: value})


@pytest.mark.parametrize(
    ("frames", "width"),
    [("resnet18", 512), ("resnet50", 2048), ("resnet101", 2048), ("efficientnet_lite0", 1280)],
)
def test_any_frame_network(frames: str, width: int) -> None:
    with torch.device("meta"):
        network = create_model("cnn_gru_resnet50", frames=frames, num_classes=0, layers=2)
        assert isinstance(network, CnnRnn)
        assert isinstance(network.rnn, nn.GRU)
        assert network.rnn.input_size == width
        assert network(torch.zeros(1, 2, 3, 64, 64)).shape == (1, 512)


def test_weights_of_pictures_fill_the_frame_network(tmp_path: Path) -> None:
    pictures = {key: value + 1 for key, value in ResNet2d(50).state_dict().items()}
    torch.save({**pictures, "fc.weight": torch.zeros(1000, 2048)}, tmp_path / "resnet50.pth")
    network = create_model("cnn_lstm_resnet50", num_classes=3)
    report = load_weights(network, tmp_path / "resnet50.pth", strict=False)
    assert {name.split(".")[0] for name in report.missing} == {"rnn", "classifier"}
    assert report.unexpected == ()
    assert torch.equal(network.state_dict()["frames.bn1.bias"], pictures["bn1.bias"])


def test_our_own_files_bring_it_back(tmp_path: Path) -> None:
    network = create_model("cnn_rnn_tiny", cell="lstm", bidirectional=True, num_classes=4).eval()
    save_pretrained(network, tmp_path)
    clips = seeded_input("clips", TINY)
    with torch.no_grad():
        assert torch.equal(load_pretrained(tmp_path)(clips), network(clips))


def test_every_parameter_learns() -> None:
    for options in ({"cell": "lstm", "layers": 2}, {"cell": "gru", "bidirectional": True}):
        assert_gradients_flow(create_model("cnn_rnn_tiny", **options), seeded_input("clips", TINY))


def test_it_exports_and_runs_in_bfloat16() -> None:
    for cell in ("lstm", "gru"):
        network = over_features(cell=cell, bidirectional=True)
        assert_exports(network, seeded_input("features", (2, 6, 5)))
    assert_runs_in_bfloat16(tiny(), seeded_input("clips", (1, *TINY[1:])))
