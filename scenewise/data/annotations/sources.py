"""The list of datasets: which tasks and splits each has, who reads it, and where it was published.

It knows names; the files are read by the module of each dataset.
"""

from __future__ import annotations

from dataclasses import dataclass

from scenewise.data.rows import Task


@dataclass(frozen=True, slots=True)
class Source:
    """One dataset: which tasks and splits it has, and who reads it."""

    name: str
    summary: str  # one line
    tasks: tuple[Task, ...]  # the first is meant where none is named
    splits: tuple[str, ...]
    reader: str  # "module:function" of (folder, split, task)
    paper: str = ""
    url: str = ""
    stream: str = ""  # "module:function" of (folder, split, oddities): rows that need no memory
    files: str = ""  # which files are looked for, for people


_HERE = "scenewise.data.annotations"
_ONE = ("train", "val", "test")
_THREE = ("train1", "test1", "train2", "test2", "train3", "test3")


def _action_lists(number: int, year: str, paper: str) -> Source:
    return Source(
        name=f"kinetics{number}",
        summary=f"one of {number} actions in ten seconds",
        tasks=("labels",),
        splits=_ONE,
        reader=f"{_HERE}.kinetics:read_{number}",
        paper=f"{paper}, arXiv:{year}",
        url=f"https://arxiv.org/abs/{year}",
        files=f"kinetics-{number}_SPLIT.csv or SPLIT.csv of the makers; lists of PATH LABEL",
    )


SOURCES: tuple[Source, ...] = (
    Source(
        name="folder",
        summary="a folder of one's own: one subfolder for each label",
        tasks=("labels",),
        splits=_ONE,
        reader=f"{_HERE}.own:read_folder",
        files="SPLIT/LABEL/*, or LABEL/*",
    ),
    Source(
        name="csv",
        summary="one's own table",
        tasks=("captions", "moments", "questions", "labels"),
        splits=_ONE,
        reader=f"{_HERE}.own:read_own_csv",
        files="SPLIT.csv, or one file with a column split",
    ),
    Source(
        name="jsonl",
        summary="one's own objects, one a line",
        tasks=("captions", "moments", "questions", "labels"),
        splits=_ONE,
        reader=f"{_HERE}.own:read_own_jsonl",
        files="SPLIT.jsonl, or one file with a name split",
    ),
    Source(
        name="msrvtt",
        summary="10,000 clips with 20 sentences each",
        tasks=("captions",),
        splits=("train", "val", "test", "train-9k", "train-7k", "test-1k-A"),
        reader=f"{_HERE}.msrvtt:read",
        paper="Xu et al., MSR-VTT, CVPR 2016; 1k-A: Yu et al., JSFusion, ECCV 2018",
        url="https://github.com/ArrowLuo/CLIP4Clip",
        files="MSRVTT_data.json and MSRVTT_train.9k.csv, MSRVTT_JSFUSION_test.csv and so on",
    ),
    Source(
        name="msvd",
        summary="1,970 clips with about 41 sentences each",
        tasks=("captions",),
        splits=_ONE,
        reader=f"{_HERE}.msvd:read",
        paper="Chen and Dolan, Collecting highly parallel data, ACL 2011",
        url="https://www.cs.utexas.edu/users/ml/clamp/videoDescription/",
        files="SPLIT_list.txt; AllVideoDescriptions.txt or raw-captions.pkl",
    ),
    Source(
        name="vatex",
        summary="34,991 clips of ten seconds with ten English sentences each",
        tasks=("captions",),
        splits=("train", "val", "test", "test-1k5-sec", "validation", "public-test"),
        reader=f"{_HERE}.vatex:read",
        paper="Wang et al., VATEX, ICCV 2019; lists: Chen et al., HGR, CVPR 2020",
        url="https://eric-xw.github.io/vatex-website/",
        files="SPLIT_list.txt; vatex_data.json or vatex_training_v1.0.json and so on",
    ),
    Source(
        name="didemo",
        summary="moments of 5 to 30 seconds, marked by four people each",
        tasks=("moments",),
        splits=_ONE,
        reader=f"{_HERE}.didemo:read",
        paper="Hendricks et al., Localizing Moments in Video, ICCV 2017",
        url="https://github.com/LisaAnne/LocalizingMoments",
        files="SPLIT_data.json",
    ),
    Source(
        name="didemo_paragraphs",
        summary="the same, all sentences of a video as one text",
        tasks=("captions",),
        splits=_ONE,
        reader=f"{_HERE}.didemo:read_paragraphs",
        paper="Hendricks et al., ICCV 2017; paragraphs: Zhang et al., ECCV 2018",
        url="https://github.com/LisaAnne/LocalizingMoments",
        files="SPLIT_data.json",
    ),
    Source(
        name="activitynet_captions",
        summary="20,000 films of activities, every part described",
        tasks=("moments", "captions"),
        splits=("train", "val_1", "val_2"),
        reader=f"{_HERE}.dense:read_activitynet",
        paper="Krishna et al., Dense-Captioning Events in Videos, ICCV 2017",
        url="https://cs.stanford.edu/people/ranjaykrishna/densevid/",
        files="SPLIT.json",
    ),
    Source(
        name="activitynet_paragraphs",
        summary="the same, all sentences of a video as one text",
        tasks=("captions",),
        splits=("train", "val_1", "val_2"),
        reader=f"{_HERE}.dense:read_activitynet_paragraphs",
        paper="Krishna et al., ICCV 2017; paragraphs: Zhang et al., ECCV 2018",
        url="https://cs.stanford.edu/people/ranjaykrishna/densevid/",
        files="SPLIT.json",
    ),
    Source(
        name="charades_sta",
        summary="daily doings at home, 16,128 sentences with a span",
        tasks=("moments",),
        splits=("train", "test"),
        reader=f"{_HERE}.charades_sta:read",
        paper="Gao et al., TALL, ICCV 2017",
        url="https://github.com/jiyanggao/TALL",
        files="charades_sta_SPLIT.txt; charades.json or Charades_v1_SPLIT.csv for durations",
    ),
    Source(
        name="qvhighlights",
        summary="10,310 queries with spans and rated highlights",
        tasks=("moments",),
        splits=_ONE,
        reader=f"{_HERE}.qvhighlights:read",
        paper="Lei et al., QVHighlights, NeurIPS 2021",
        url="https://github.com/jayleicn/moment_detr",
        files="highlight_SPLIT_release.jsonl, highlight_test_with_gt.jsonl",
    ),
    Source(
        name="tacos",
        summary="cooking films of minutes, 18,227 sentences with a span",
        tasks=("moments", "captions"),
        splits=_ONE,
        reader=f"{_HERE}.dense:read_tacos",
        paper="Regneri et al., TACL 2013; split: Zhang et al., 2D-TAN, AAAI 2020",
        url="https://github.com/microsoft/VideoX/tree/master/2D-TAN",
        files="SPLIT.json",
    ),
    Source(
        name="youcook2",
        summary="2,000 cooking films, every step described",
        tasks=("captions", "moments"),
        splits=("train", "val"),
        reader=f"{_HERE}.dense:read_youcook2",
        paper="Zhou et al., Towards Automatic Learning of Procedures, AAAI 2018",
        url="http://youcook2.eecs.umich.edu/",
        files="youcookii_annotations_trainval.json; for val also validation_youcook.csv",
    ),
    Source(
        name="nextqa",
        summary="why, how and when: five choices a question",
        tasks=("questions",),
        splits=_ONE,
        reader=f"{_HERE}.videoqa:read_nextqa",
        paper="Xiao et al., NExT-QA, CVPR 2021",
        url="https://github.com/doc-doc/NExT-QA",
        files="SPLIT.csv",
    ),
    Source(
        name="nextqa_open",
        summary="the same, answered in words",
        tasks=("questions",),
        splits=_ONE,
        reader=f"{_HERE}.videoqa:read_nextqa_open",
        paper="Xiao et al., NExT-QA, CVPR 2021",
        url="https://github.com/doc-doc/NExT-OE",
        files="SPLIT.csv of the open-ended form",
    ),
    Source(
        name="activitynet_qa",
        summary="58,000 questions about 5,800 films of activities",
        tasks=("questions",),
        splits=_ONE,
        reader=f"{_HERE}.videoqa:read_activitynet_qa",
        paper="Yu et al., ActivityNet-QA, AAAI 2019",
        url="https://github.com/MILVLG/activitynet-qa",
        files="SPLIT_q.json, SPLIT_a.json",
    ),
    Source(
        name="msrvtt_qa",
        summary="243,680 questions about the clips of MSR-VTT",
        tasks=("questions",),
        splits=_ONE,
        reader=f"{_HERE}.videoqa:read_msrvtt_qa",
        paper="Xu et al., Video Question Answering via Gradually Refined Attention, ACM MM 2017",
        url="https://github.com/xudejing/video-question-answering",
        files="SPLIT_qa.json",
    ),
    Source(
        name="msvd_qa",
        summary="50,505 questions about the clips of MSVD",
        tasks=("questions",),
        splits=_ONE,
        reader=f"{_HERE}.videoqa:read_msvd_qa",
        paper="Xu et al., Video Question Answering via Gradually Refined Attention, ACM MM 2017",
        url="https://github.com/xudejing/video-question-answering",
        files="SPLIT_qa.json; youtube_mapping.txt for the names of MSVD",
    ),
    Source(
        name="egoschema",
        summary="5,031 questions about three minutes, five choices; 500 answers are public",
        tasks=("questions",),
        splits=("test", "subset"),
        reader=f"{_HERE}.egoschema:read",
        paper="Mangalam et al., EgoSchema, NeurIPS 2023",
        url="https://github.com/egoschema/EgoSchema",
        files="questions.json, subset_answers.json",
    ),
    Source(
        name="videomme",
        summary="2,700 questions about 900 videos of all lengths, four choices",
        tasks=("questions",),
        splits=("test",),
        reader=f"{_HERE}.videomme:read",
        paper="Fu et al., Video-MME, CVPR 2025",
        url="https://github.com/MME-Benchmarks/Video-MME",
        files="videomme.json, .jsonl, .csv or .tsv; Parquet is not read",
    ),
    _action_lists(400, "1705.06950", "Kay et al., Kinetics"),
    _action_lists(600, "1808.01340", "Carreira et al., Kinetics-600"),
    _action_lists(700, "1907.06987", "Carreira et al., Kinetics-700"),
    Source(
        name="ucf101",
        summary="13,320 clips of 101 actions",
        tasks=("labels",),
        splits=_THREE,
        reader=f"{_HERE}.actions:read_ucf101",
        paper="Soomro et al., UCF101, arXiv:1212.0402",
        url="https://www.crcv.ucf.edu/data/UCF101.php",
        files="trainlist01.txt, testlist01.txt and so on, classInd.txt",
    ),
    Source(
        name="hmdb51",
        summary="6,766 clips of 51 actions",
        tasks=("labels",),
        splits=_THREE,
        reader=f"{_HERE}.actions:read_hmdb51",
        paper="Kuehne et al., HMDB, ICCV 2011",
        url="https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/",
        files="CLASS_test_split1.txt and so on, or hmdb51.csv",
    ),
    Source(
        name="webvid",
        summary="2.5 or 10.7 million clips of stock footage with one text each",
        tasks=("captions",),
        splits=("train", "val", "train-10M", "val-10M"),
        reader=f"{_HERE}.speech:read_webvid",
        stream=f"{_HERE}.speech:stream_webvid",
        paper="Bain et al., Frozen in Time, ICCV 2021",
        url="https://github.com/m-bain/webvid",
        files="results_2M_SPLIT.csv, results_10M_SPLIT.csv",
    ),
    Source(
        name="howto100m",
        summary="136 million sentences said in 1.22 million films of how to do things",
        tasks=("captions",),
        splits=("train",),
        reader=f"{_HERE}.speech:read_howto100m",
        stream=f"{_HERE}.speech:stream_howto100m",
        paper="Miech et al., HowTo100M, ICCV 2019",
        url="https://www.di.ens.fr/willow/research/howto100m/",
        files="HowTo100M_v1.csv; caption.json, or VIDEO.json for each video",
    ),
    Source(
        name="yttemporal",
        summary="what is said in 20 million videos, with a time for each word",
        tasks=("captions",),
        splits=("train", "val"),
        reader=f"{_HERE}.speech:read_yttemporal",
        stream=f"{_HERE}.speech:stream_yttemporal",
        paper="Zellers et al., MERLOT Reserve, CVPR 2022",
        url="https://rowanzellers.com/merlotreserve/",
        files="*SPLIT*.jsonl or .jsonl.gz",
    ),
)
