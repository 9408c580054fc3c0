"""VideoCLIP beside the official code, facebookresearch/fairseq, examples/MMPT.

It was written for transformers 3.4. What it imports from there stands here over the BERT of
today's transformers: layers that answer with a tuple, masks of -10,000, and weights that are not
downloaded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model
from scenewise.models.video_text.videoclip import CLS, SEP, VideoCLIP

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_ids, seeded_input

REPOSITORY = "facebookresearch/fairseq"


def alias(config: Any) -> ModuleType:
    """``transformers.modeling_bert`` as the official code knows it."""
    from transformers.activations import ACT2FN
    from transformers.models.bert import modeling_bert as bert

    class Weightless:
        """No checkpoint is read: ``from_pretrained`` makes fresh weights."""

        @classmethod
        def from_pretrained(cls, _name: str, config: Any = config) -> Any:
            return cls(config)  # type: ignore[call-arg]

    class BertLayer(bert.BertLayer):  # type: ignore[misc]
        def forward(self, states: Tensor, mask: Tensor, *_others: Any) -> tuple[Tensor]:
            output: Tensor = super().forward(states, mask)
            return (output,)

    class BertEncoder(bert.BertEncoder):  # type: ignore[misc]
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.layer = nn.ModuleList(BertLayer(config) for _ in range(config.num_hidden_layers))

    class BertPreTrainedModel(Weightless, bert.BertPreTrainedModel):  # type: ignore[misc]
        def init_weights(self) -> None:
            """The numbers come from the case."""

    class BertModel(Weightless, bert.BertModel):  # type: ignore[misc]
        def init_weights(self) -> None:
            """The numbers come from the case."""

        def get_head_mask(self, _mask: None, layers: int) -> list[None]:
            return [None] * layers

        def get_extended_attention_mask(
            self, mask: Tensor, _shape: Any, _device: Any = None
        ) -> Tensor:
            return (1.0 - mask[:, None, None, :].to(self.dtype)) * -10_000.0

    found = ModuleType("transformers.modeling_bert")
    found.__dict__.update(
        ACT2FN=ACT2FN,
        BertEmbeddings=bert.BertEmbeddings,
        BertEncoder=BertEncoder,
        BertModel=BertModel,
        BertPreTrainedModel=BertPreTrainedModel,
        BertPredictionHeadTransform=bert.BertPredictionHeadTransform,
    )
    return found


@contextmanager
def stubs(config: Any) -> Iterator[None]:
    """The alias, and nothing in place of the part that writes captions."""
    contents = {
        "transformers.modeling_bert": alias(config),
        "mmpt.models.mmfusionnlg": ModuleType("mmpt.models.mmfusionnlg"),
    }
    before = {name: sys.modules.get(name) for name in contents}
    sys.modules.update(contents)
    sys.path.insert(0, str(Path(sys.path[0]) / "examples" / "MMPT"))
    try:
        yield
    finally:
        del sys.path[0]
        for name, known in before.items():
            if known is None:
                del sys.modules[name]
            else:
                sys.modules[name] = known


def official(*, layers: tuple[int, int], longest: int, **sizes: int) -> nn.Module:
    """``MMFusionSeparate`` of the published configuration, at these sizes."""
    from transformers import BertConfig

    def config(_name: str = "") -> Any:
        return BertConfig(num_hidden_layers=layers[1], attn_implementation="eager", **sizes)

    with stubs(config()):
        fusion = module("mmpt.models.mmfusion")
        fusion.AutoConfig = SimpleNamespace(from_pretrained=config)
        given = SimpleNamespace(
            dataset=SimpleNamespace(
                bert_name="bert-base-uncased",
                train_path=None,
                num_iso_layer=12,
                max_video_len=longest,
            ),
            model=SimpleNamespace(
                mm_encoder_cls=None,
                video_encoder_cls="MMBertForEncoder",
                text_encoder_cls="BertModel",
                num_hidden_video_layers=layers[0],
            ),
        )
        network: nn.Module = fusion.MMFusionSeparate(given)
    return network


def official_small() -> nn.Module:
    """The sizes of our tiny one, but for the vectors, whose length the official code fixes."""
    return official(
        layers=(2, 2),
        longest=16,
        vocab_size=1000,
        hidden_size=64,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
    )


def small_inputs() -> tuple[Tensor, ...]:
    """Two videos of different lengths, two texts: vectors, their mask, ids, their mask."""
    return inputs_of(seconds=5, width=512, batch=2, words=7, vocabulary=1000, marks=(2, 3))


def full_inputs() -> tuple[Tensor, ...]:
    return inputs_of(seconds=32, width=512, batch=1, words=63, vocabulary=30_522)


def inputs_of(
    *,
    seconds: int,
    width: int,
    batch: int,
    words: int,
    vocabulary: int,
    marks: tuple[int, int] = (CLS, SEP),
) -> tuple[Tensor, ...]:
    ids = seeded_ids("ids", (batch, words), vocabulary)
    ends = words - 1 - torch.arange(batch)
    ids[:, 0] = marks[0]
    ids[torch.arange(batch), ends] = marks[1]
    text_mask = torch.arange(words)[None] <= ends[:, None]
    video_mask = torch.arange(seconds)[None] < seconds - torch.arange(batch)[:, None]
    vectors = seeded_input("vectors", (batch, seconds, width)) * video_mask[..., None]
    return vectors, video_mask, ids * text_mask, text_mask


def call_official(network: Any, inputs: tuple[Tensor, ...]) -> Outputs:
    """As its loader has it: [CLS] [SEP] caption [SEP], and videos padded to the longest."""
    vectors, video_mask, ids, text_mask = inputs
    separator = ids[:1, text_mask[0].sum() - 1 :][:, :1].expand(len(ids), 1)
    captions = torch.cat([ids[:, :1], separator, ids[:, 1:]], dim=1)
    caption_mask = torch.cat([text_mask[:, :1], text_mask[:, :1], text_mask[:, 1:]], dim=1)
    missing = network.video_encoder.bert.embeddings.max_video_len - vectors.shape[1]
    padded = nn.functional.pad(vectors, (0, 0, 0, missing))
    padded_mask = nn.functional.pad(video_mask, (0, missing))
    given = {"caps": captions, "cmasks": caption_mask, "vfeats": padded, "vmasks": padded_mask}
    pooled = network(**given)
    states = network.forward_video(padded, padded_mask, captions, caption_mask, True)
    return {
        "video": pooled["pooled_video"],
        "text": pooled["pooled_text"],
        "seconds": states[:, 1 : 1 + vectors.shape[1]] * video_mask[..., None],
    }


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, VideoCLIP)
    vectors, video_mask, ids, text_mask = inputs
    video = network.encode_video(vectors, video_mask)
    assert video.tokens is not None
    return {
        "video": video.pooled,
        "text": network.encode_text(ids, text_mask).pooled,
        "seconds": video.tokens * video_mask[..., None],
    }


def call_official_once(network: Any, inputs: tuple[Tensor, ...]) -> Outputs:
    """For the clock: one pass over full lengths."""
    vectors, video_mask, ids, text_mask = inputs
    pooled = network(
        caps=torch.cat([ids[:, :1], ids[:, -1:], ids[:, 1:]], dim=1),
        cmasks=torch.cat([text_mask[:, :1], text_mask], dim=1),
        vfeats=vectors,
        vmasks=video_mask,
    )
    return {"similarity": pooled["pooled_text"] @ pooled["pooled_video"].T}


def call_ours_once(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    vectors, video_mask, ids, text_mask = inputs
    similarity: Tensor = network(vectors, ids, video_mask, text_mask)
    return {"similarity": similarity}


CASES = (
    Case(
        name="videoclip",
        repository=REPOSITORY,
        reference=official_small,
        ours=lambda: create_model("videoclip_tiny", pixels=False, num_features=512),
        inputs=small_inputs,
        call_reference=call_official,
        call_ours=call_ours,
    ),
    Case(
        name="videoclip_base",
        repository=REPOSITORY,
        reference=lambda: official(layers=(6, 12), longest=32),
        ours=lambda: create_model("videoclip", pixels=False),
        inputs=full_inputs,
        call_reference=call_official_once,
        call_ours=call_ours_once,
        golden=False,
        full=True,
        timed=True,
        fused=False,
    ),
)
