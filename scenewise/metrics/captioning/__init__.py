"""How well captions say what their references say: BLEU, METEOR, ROUGE-L, CIDEr and SPICE.

    evaluate(predictions, references)     one number for each metric
    score(predictions, references)        and one for each video
    pair_up(...) -> bleu(pairs), ...      one metric alone

Tokens and numbers are those of pycocoevalcap (the COCO caption evaluation); METEOR and SPICE are
its Java programs, all else is computed here.
"""

from scenewise.metrics.captioning.consensus import (
    DocumentFrequency,
    cider,
    document_frequency,
    original_cider,
)
from scenewise.metrics.captioning.evaluation import METRICS, evaluate, score
from scenewise.metrics.captioning.meteor_program import meteor
from scenewise.metrics.captioning.overlap import bleu, rouge_l
from scenewise.metrics.captioning.pairs import CaptionPairs, Scored, pair_up
from scenewise.metrics.captioning.ptb import tokenize
from scenewise.metrics.captioning.scene_graphs import (
    SceneGraphScore,
    scene_graph_score,
    wordnet_synonyms,
)
from scenewise.metrics.captioning.spice_program import spice

__all__ = [
    "METRICS",
    "CaptionPairs",
    "DocumentFrequency",
    "SceneGraphScore",
    "Scored",
    "bleu",
    "cider",
    "document_frequency",
    "evaluate",
    "meteor",
    "original_cider",
    "pair_up",
    "rouge_l",
    "scene_graph_score",
    "score",
    "spice",
    "tokenize",
    "wordnet_synonyms",
]
