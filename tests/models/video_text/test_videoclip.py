"""Facts about VideoCLIP: the official code's numbers, its keys, what it reads, its loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden import (
    assert_takes_keys,
    golden,
    largest_difference,
    load_official,
    perturb,
    perturbed_groups,
    read_keys,
)
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_ids, seeded_input
from torch import Tensor, nn

from benchmarks.reference.videoclip import call_ours, small_inputs
from scenewise.errors import NetworkError
from scenewise.models import create_model, load_pretrained
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.layers.bert import BertSize
from scenewise.models.video_text.videoclip import LAYOUTS, VideoCLIP, VideoTokenMLP

ALIKE = 1e-4


class Pairs(nn.Module):
    """VideoCLIP as a function of pairs: one example's score must not depend on the batch."""

    def __init__(self, network: VideoCLIP) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor, ids: Tensor) -> Tensor:
        video, text = self.network.encode_video(clips), self.network.encode_text(ids)
        return (text.pooled * video.pooled).sum(-1)


class Means(VideoBackbone):
    """An extractor whose vector is the mean colour of the frames; it has a dropout to find."""

    num_features = num_classes = 3

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.dropout = nn.Dropout(0.5)

    def features(self, clips: Tensor) -> Tensor:
        vector: Tensor = self.dropout(clips.mean(dim=(1, 3, 4)) * self.scale)
        return vector

    def forward(self, clips: Tensor) -> Tensor:
        return self.features(clips)


def tiny() -> VideoCLIP:
    network = create_model("videoclip_tiny", pixels=False)
    assert isinstance(network, VideoCLIP)
    return network.eval()


def with_extractor() -> VideoCLIP:
    size = BertSize(width=8, layers=1, heads=2, hidden=16, vocabulary=9, positions=12)
    return VideoCLIP(
        video=size,
        text=size,
        features=3,
        longest=6,
        marks=(2, 3),
        extractor=Means(),
        frames_per_second=4,
    ).eval()


@pytest.fixture(scope="module")
def official() -> nn.Module:
    network = create_model("videoclip_tiny", pixels=False, num_features=512).eval()
    assert load_official(network, golden("videoclip").state()) == "official"
    return network


def test_parity_with_the_official_code(official: nn.Module) -> None:
    with torch.no_grad():
        ours = call_ours(official, small_inputs())
    for key, theirs in golden("videoclip").outputs.items():
        assert largest_difference(ours[key], theirs) < ALIKE, key


def test_parity_is_lost_by_any_change(official: nn.Module) -> None:
    wanted = golden("videoclip").outputs
    for name in perturbed_groups(official):
        kept = official.get_parameter(name).detach().clone()
        perturb(official, name)
        with torch.no_grad():
            ours = call_ours(official, small_inputs())
            differences = [largest_difference(ours[key], wanted[key]) for key in wanted]
            official.get_parameter(name).copy_(kept)
        if name.endswith("attention.self.key.bias"):
            continue  # adds the same to every score of a query: softmax takes it out
        assert max(differences) > ALIKE, name


@pytest.mark.parametrize("prefix", ["", "mmmodel."])
def test_it_takes_the_names_of_the_official_checkpoint(prefix: str) -> None:
    """With the prefix that fairseq saves them by, and the tables of places of old versions."""
    with torch.device("meta"):
        network = create_model("videoclip", pixels=False)
    assert_takes_keys(network, "videoclip_base")
    keys = {prefix + key for key in read_keys("videoclip_base", "full")}
    keys |= {f"{prefix}text_encoder.embeddings.position_ids"}
    state = {key: torch.zeros(1) for key in keys}
    assert LAYOUTS[0].fits(state)
    assert LAYOUTS[0].convert(state).keys() == network.state_dict().keys()


def test_a_checkpoint_says_how_deep_it_is(tmp_path: Path) -> None:
    with torch.device("meta"):
        network = create_model("videoclip", pixels=False, num_video_layers=3, num_text_layers=4)
    state = {f"mmmodel.{key}": value for key, value in network.state_dict().items()}
    identified = LAYOUTS[0].identify(state, {})
    assert identified is not None
    assert identified.name == "videoclip"
    wanted = {"pixels": False, "num_video_layers": 3, "num_text_layers": 4, "vocabulary": 30_522}
    assert identified.options == wanted


def test_another_networks_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(NetworkError, match="does not belong to videoclip_tiny"):
        load_pretrained(tmp_path / "other.pt", "videoclip_tiny")


def test_a_second_that_is_not_real_changes_nothing() -> None:
    network = tiny()
    vectors = seeded_input("vectors", (2, 4, 32))
    whole = network.encode_video(vectors)
    padded = torch.cat([vectors, torch.full((2, 3, 32), 5.0)], dim=1)
    real = torch.tensor([[True] * 4 + [False] * 3] * 2)
    masked = network.encode_video(padded, real)
    torch.testing.assert_close(masked.pooled, whole.pooled, atol=1e-5, rtol=0)
    assert whole.tokens is not None
    assert whole.tokens.shape == (2, 4, 64)


def test_pooling_leaves_cls_out_and_takes_sep_in() -> None:
    network = tiny()
    vectors = seeded_input("vectors", (1, 4, 32))
    states = network.video_encoder(vectors, torch.ones(1, 4, dtype=torch.bool))
    assert states.shape == (1, 6, 64)
    pooled = network.encode_video(vectors).pooled
    torch.testing.assert_close(pooled, states[:, 1:].mean(1), atol=1e-6, rtol=0)
    ids = torch.tensor([[2, 7, 8, 3, 0, 0]])
    text = network.text_encoder(ids, ids.ne(0))
    torch.testing.assert_close(
        network.encode_text(ids).pooled, text[:, 1:4].mean(1), atol=1e-6, rtol=0
    )


def test_padding_of_texts_changes_nothing() -> None:
    network = tiny()
    ids = torch.tensor([[2, 7, 8, 3]])
    short = network.encode_text(ids).pooled
    padded = nn.functional.pad(ids, (0, 3))
    torch.testing.assert_close(network.encode_text(padded).pooled, short)
    torch.testing.assert_close(
        network.encode_text(padded + 5, nn.functional.pad(torch.ones(1, 4), (0, 3))).pooled,
        network.encode_text(ids + 5).pooled,
    )


def test_clips_go_through_the_frozen_extractor_second_by_second() -> None:
    network = with_extractor()
    clips = seeded_input("clips", (2, 12, 3, 5, 5))
    vectors = torch.stack(
        [clips[:, second * 4 : second * 4 + 4].mean((1, 3, 4)) for second in range(3)], dim=1
    )
    torch.testing.assert_close(
        network.encode_video(clips).pooled, network.encode_video(vectors).pooled
    )
    real = torch.ones(2, 12, dtype=torch.bool)
    real[1, 9] = False  # a frame of the last second
    cut = network.encode_video(clips, real)
    torch.testing.assert_close(cut.pooled[1:], network.encode_video(vectors[1:, :2]).pooled)
    network.train()
    assert network.extractor is not None
    assert not network.extractor.training
    network(clips, torch.tensor([[2, 5, 3]])).sum().backward()
    assert network.extractor.get_parameter("scale").grad is None


def test_what_it_cannot_take_is_refused() -> None:
    network = tiny()
    with pytest.raises(ValueError, match="has no extractor: give vectors of S3D"):
        network.encode_video(torch.zeros(1, 8, 3, 64, 64))
    with pytest.raises(ValueError, match=r"takes vectors \(B, T, 32\) or clips"):
        network.encode_video(torch.zeros(1, 4, 31))
    with pytest.raises(ValueError, match="takes 16 seconds at most, got 17"):
        network.encode_video(torch.zeros(1, 17, 32))
    with pytest.raises(ValueError, match="a second is 4 frames, got 6 frames"):
        with_extractor().encode_video(torch.zeros(1, 6, 3, 5, 5))
    with pytest.raises(ValueError, match="65 tokens are more than the 64 positions"):
        network.encode_text(torch.ones(1, 65, dtype=torch.int64))


def test_similarity_is_a_dot_product_whose_lengths_count() -> None:
    network = tiny()
    text = network.encode_text(seeded_ids("ids", (3, 6), 1000))
    video = network.encode_video(seeded_input("vectors", (2, 4, 32)))
    similarity = network.similarity(text, video)
    assert similarity.shape == (3, 2)
    for row in range(3):
        for column in range(2):
            alone = text.pooled[row].dot(video.pooled[column])
            torch.testing.assert_close(similarity[row, column], alone)
    assert not network.pooled_ranks


def test_the_loss_is_the_sum_of_both_directions() -> None:
    """Texts are rows. ln 3 is a choice of 1 to 2, so the shares are 3 of 4 and 1 of 2."""
    three = torch.log(torch.tensor(3.0))
    similarity = torch.stack([torch.stack([three, torch.zeros(())]), torch.stack([three, three])])
    of_texts = -(torch.tensor(3 / 4).log() + torch.tensor(1 / 2).log()) / 2
    of_videos = -(torch.tensor(1 / 2).log() + torch.tensor(3 / 4).log()) / 2
    torch.testing.assert_close(tiny().loss(similarity), of_texts + of_videos)


def test_every_parameter_learns() -> None:
    network = tiny()
    silent = [name for name, _ in network.named_parameters() if name.endswith("self.key.bias")]
    inputs = seeded_input("vectors", (2, 4, 32)), seeded_ids("ids", (2, 6), 1000)
    assert_gradients_flow(network, *inputs, except_for=silent)


def test_gradients_of_its_mlp_are_right() -> None:
    torch.manual_seed(0)
    assert_gradients_are_right(VideoTokenMLP(3, 4), torch.randn(2, 3))


def test_it_exports_and_runs_in_bfloat16() -> None:
    inputs = seeded_input("vectors", (2, 4, 32)), seeded_ids("ids", (2, 6), 1000)
    assert_exports(Pairs(tiny()), *inputs)
    assert_runs_in_bfloat16(Pairs(tiny()), *(item[:1] for item in inputs))


def test_the_tiny_one_reads_clips_by_its_own_s3d() -> None:
    network = create_model("videoclip_tiny").eval()
    assert isinstance(network, VideoCLIP)
    clips = seeded_input("clips", (2, 8, 3, 64, 64))
    video = network.encode_video(clips)
    assert video.tokens is not None
    assert video.tokens.shape == (2, 2, 64)
    assert network.extractor is not None
    vectors = torch.stack([network.extractor(clips[:, :4]), network.extractor(clips[:, 4:])], dim=1)
    torch.testing.assert_close(network.encode_video(vectors).pooled, video.pooled)


def test_the_checkpoint_loads_beside_an_s3d_of_its_own(tmp_path: Path) -> None:
    """As the module's docstring says: the transformer from one file, S3D from another."""
    published = create_model("videoclip_tiny", pixels=False)
    torch.save(
        {"model": {f"mmmodel.{key}": value for key, value in published.state_dict().items()}},
        tmp_path / "checkpoint_best.pt",
    )
    whole = create_model("videoclip_tiny").eval()
    loaded = load_pretrained(tmp_path / "checkpoint_best.pt", "videoclip_tiny", pixels=False)
    report = whole.load_state_dict(loaded.state_dict(), strict=False)
    assert report.unexpected_keys == []
    assert all(key.startswith("extractor.") for key in report.missing_keys)
    assert isinstance(whole, VideoCLIP)
    vectors = seeded_input("vectors", (1, 4, 32))
    assert isinstance(published, VideoCLIP)
    torch.testing.assert_close(
        whole.encode_video(vectors).pooled, published.eval().encode_video(vectors).pooled
    )
    with torch.device("meta"):
        full = create_model("videoclip")
        s3d = create_model("s3d_howto100m")
    assert isinstance(full, VideoCLIP)
    assert full.extractor is not None
    assert full.extractor.state_dict().keys() == s3d.state_dict().keys()
