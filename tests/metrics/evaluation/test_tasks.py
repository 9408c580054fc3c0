"""Every task from small files whose figures can be counted by hand, and their refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenewise.errors import DataError, ScenewiseError, UsageError
from scenewise.metrics.evaluation.questions import QuestionOptions, judge_prompts
from scenewise.metrics.evaluation.tasks import TASKS, Options, evaluate


class Files:
    """Writes files into one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, content: Any) -> Path:
        path = self._folder / name
        if isinstance(content, np.ndarray):
            np.save(path, content)
        elif isinstance(content, str):
            path.write_text(content, "utf-8")
        elif path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in content), "utf-8")
        else:
            path.write_text(json.dumps(content), "utf-8")
        return path


@pytest.fixture
def write(tmp_path: Path) -> Files:
    return Files(tmp_path)


def figures(task: str, predictions: Path, *references: Path, **options: Any) -> dict[str, Any]:
    found = evaluate(task, predictions, references, Options(**options))
    json.dumps(found.to_dict(), allow_nan=False)
    return dict(found.figures)


# ---- retrieval

MATRIX = np.array([[0.2, 0.9], [0.8, 0.1], [0.3, 0.7], [0.1, 0.6]])


def test_a_matrix_with_the_columns_of_its_rows(write: Files) -> None:
    found = figures("retrieval", write("m.npy", MATRIX), write("r.json", [0, 0, 1, 1]))
    assert found["text_to_video"]["R@1"] == 0.75
    assert found["video_to_text"]["mean_rank"] == 1.5
    assert found["video_to_text_grouped"]["R@1"] == 0.5
    assert "dual_softmax" not in found


def test_a_square_matrix_needs_no_references_and_dual_softmax_stands_apart(write: Files) -> None:
    matrix = write("m.npy", np.array([[0.4, 0.5], [0.1, 0.9]]))
    plain = figures("retrieval", matrix)
    both = figures("retrieval", matrix, dual_softmax=True)
    assert plain["text_to_video"]["R@1"] == 0.5
    assert both["dual_softmax"]["text_to_video"]["R@1"] == 1
    assert {name: both[name] for name in plain} == plain


def test_a_matrix_with_ids_takes_references_in_any_order(write: Files, tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", similarity=MATRIX, text_ids=list("abcd"), video_ids=["v0", "v1"])
    reference = write("r.json", {"d": "v1", "c": "v1", "b": "v0", "a": "v0"})
    table = write("r.csv", "text_id,video_id\nd,v1\nc,v1\nb,v0\na,v0\n")
    expected = figures("retrieval", write("m.npy", MATRIX), write("c.json", [0, 0, 1, 1]))
    assert figures("retrieval", tmp_path / "m.npz", reference) == expected
    assert figures("retrieval", tmp_path / "m.npz", table) == expected


def test_ranked_lists_of_one_or_both_directions(write: Files) -> None:
    reference = write("r.json", {"a": "v0", "b": "v0", "c": "v1"})
    lists = {"a": ["v1", "v0"], "b": ["v0", "v1"], "c": ["v0"]}
    found = evaluate("retrieval", write("p.json", lists), [reference])
    assert found.figures["text_to_video"]["R@1"] == pytest.approx(1 / 3)
    assert found.figures["text_to_video"]["mean_rank"] is None
    assert found.notes == (
        "text_to_video: 1 lists end without what is right: not found, so there is no mean rank",
    )
    both = {"text_to_video": lists, "video_to_text": {"v0": ["c", "b", "a"], "v1": ["c", "a", "b"]}}
    found = evaluate("retrieval", write("p.json", both), [reference])
    assert found.figures["video_to_text"]["mean_rank"] == 1.5


@pytest.mark.parametrize(
    ("content", "reference", "message"),
    [
        (np.zeros((2, 3)), None, "2 texts and 3 videos"),
        (np.zeros(3), None, r"got float64 of the shape \(3,\)"),
        (np.array([["a"]]), None, "matrix of numbers"),
        (np.array([[np.nan]]), None, "not finite"),
        (np.zeros((2, 2)), [0], "1 entries for 2 rows"),
        (np.zeros((2, 2)), [0, 5], "number from 0 to 1"),
        (np.zeros((2, 2)), {"a": "v"}, "the matrix has none"),
    ],
)
def test_matrices_that_say_nothing(
    write: Files, content: np.ndarray[Any, Any], reference: Any, message: str
) -> None:
    files = [] if reference is None else [write("r.json", reference)]
    with pytest.raises(ScenewiseError, match=message):
        evaluate("retrieval", write("m.npy", content), files)


def test_files_that_are_no_matrix(write: Files, tmp_path: Path) -> None:
    for name, content in (("a.npy", "no array"), ("a.npz", "no array"), ("b.npy", "")):
        with pytest.raises(DataError, match=name):
            evaluate("retrieval", write(name, content), [])
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="no array of numbers"):
        evaluate("retrieval", tmp_path / "o.npy", [])
    with pytest.raises(DataError, match="cannot be read: No such file"):
        evaluate("retrieval", tmp_path / "absent.npy", [])
    np.savez(tmp_path / "m.npz", other=MATRIX)
    with pytest.raises(DataError, match="an array similarity is needed"):
        evaluate("retrieval", tmp_path / "m.npz", [])
    np.savez(tmp_path / "m.npz", similarity=MATRIX, text_ids=list("abca"), video_ids=["x", "y"])
    with pytest.raises(DataError, match="text_ids must be 4 different ids"):
        evaluate("retrieval", tmp_path / "m.npz", [write("r.json", [0, 0, 1, 1])])
    np.savez(tmp_path / "m.npz", similarity=MATRIX, text_ids=list("abcd"), video_ids=["x", "y"])
    reference = write("r.json", {"a": "x", "b": "x", "c": "y", "d": "z"})
    with pytest.raises(DataError, match="no column of the matrix is 'z'"):
        evaluate("retrieval", tmp_path / "m.npz", [reference])
    reference = write("r.json", {"a": "x", "b": "x", "c": "y"})
    with pytest.raises(DataError, match="1 rows of the matrix are not in"):
        evaluate("retrieval", tmp_path / "m.npz", [reference])


def test_ranked_lists_that_say_nothing(write: Files) -> None:
    reference = write("r.json", {"a": "v0"})
    with pytest.raises(UsageError, match="ranked lists need --references"):
        evaluate("retrieval", write("p.json", {"a": ["v0"]}), [])
    with pytest.raises(UsageError, match="needs similarities"):
        evaluate(
            "retrieval", write("p.json", {"a": ["v0"]}), [reference], Options(dual_softmax=True)
        )
    with pytest.raises(DataError, match="an id stands there twice"):
        evaluate("retrieval", write("p.json", {"a": ["v0", "v0"]}), [reference])
    with pytest.raises(DataError, match="a ranking must be a list, got a text"):
        evaluate("retrieval", write("p.json", {"a": "v0"}), [reference])
    with pytest.raises(DataError, match="does not say its video"):
        evaluate("retrieval", write("p.json", {"a": ["v0"]}), [write("x.json", [{"id": "a"}])])


# ---- moments and highlights


def test_windows_in_every_shape(write: Files) -> None:
    expected = figures(
        "moments",
        write("p.json", {"1": [[0, 10], [20, 30]], "2": []}),
        write("r.json", {"1": [[20, 30]], "2": [[0, 5]]}),
    )
    assert expected["R1@0.5"] == 0
    assert expected["R5@0.5"] == 0.5
    assert expected["mAP"] == 0.25
    lines = write("p.jsonl", [{"id": 1, "windows": [[0, 10], [20, 30]]}, {"id": 2, "windows": []}])
    table = write("r.csv", "id,start,end\n1,20,30\n2,0,5\n")
    assert figures("moments", lines, table) == expected
    scored = write("p.csv", "id,start,end,score\n1,0,10,0.9\n1,20,30,0.5\n")
    assert figures("moments", scored, table, allow_missing=True) == expected


def test_qvhighlights_form_adds_its_own_names(write: Files) -> None:
    truth = {"qid": 1, "relevant_windows": [[20, 30]], "relevant_clip_ids": [10, 11]}
    truth |= {"saliency_scores": [[4, 0, 0], [2, 2, 2]], "duration": 30}
    found = {"qid": 1, "pred_relevant_windows": [[20, 30, 0.9]]}
    found |= {"pred_saliency_scores": [0.0] * 10 + [0.9] + [0.0] * 4}
    files = write("p.jsonl", [found]), write("r.jsonl", [truth])
    moments = figures("moments", *files)["official percent"]
    assert moments["MR-full-R1@0.5"] == moments["MR-short-mAP"] == 100
    assert "MR-long-mAP" not in moments  # no window is long
    shape = figures("highlights", *files)
    assert shape["VeryGood"] == {"mAP": pytest.approx(1 / 3), "HIT@1": 1}
    assert shape["official percent"]["HL-min-VeryGood-mAP"] == 33.33


def test_pieces_of_didemo(write: Files) -> None:
    truth = [{"annotation_id": 1, "times": [[1, 1], [1, 1], [1, 1], [4, 4]], "num_segments": 6}]
    found = figures("moments", write("p.json", {"1": [[1, 1], [0, 0]]}), write("r.json", truth))
    assert found == {"queries": 1, "Rank@1": 1, "Rank@5": 1, "mIoU": 1}


def test_more_windows_than_count_are_noted(write: Files) -> None:
    windows = [[n, n + 1] for n in range(11)]
    found = evaluate("moments", write("p.json", {"1": windows}), [write("r.json", {"1": [[0, 1]]})])
    assert found.notes == ("1 queries have more than 10 windows: mAP looks at the first ten",)


def test_plain_ratings_and_scores_of_another_length(write: Files) -> None:
    files = write("p.json", {"1": [0.9, 0.1, 0.5]}), write("r.json", {"1": [4, 0]})
    found = evaluate("highlights", files[0], [files[1]])
    assert found.figures["Good"] == {"mAP": 1, "HIT@1": 1}
    assert found.notes[0].startswith("1 queries have more or fewer scores than clips")


@pytest.mark.parametrize(
    ("task", "found", "truth", "message"),
    [
        ("moments", {"1": [[0]]}, {"1": [[0, 1]]}, r"\[start, end, score\], got 1 numbers"),
        ("moments", {"1": [[0, 1], [0, 1, 1]]}, {"1": [[0, 1]]}, "some windows have a score"),
        ("moments", {"1": [["x", 1]]}, {"1": [[0, 1]]}, "must be a finite number"),
        ("moments", {"1": "0-1"}, {"1": [[0, 1]]}, "the windows must be a list, got a text"),
        ("moments", [{"id": 1}], {"1": [[0, 1]]}, "has no windows"),
        ("moments", {"1": [[0, 1]]}, {"1": []}, "has no true window"),
        ("moments", [{"id": 1, "windows": []}] * 2, {"1": [[0, 1]]}, "'1' stands there twice"),
        ("moments", {"1": [[2, 1]]}, [{"id": 1, "times": [[0, 0]] * 4}], "in whole pieces"),
        ("moments", {"1": [[0, 1]]}, [{"id": 1, "times": [[0, 0]]}], "3 people must have"),
        ("highlights", {"1": [0.1]}, {"1": [[9]]}, "whole numbers from 0 to 4"),
        ("highlights", {"1": [0.1]}, {"1": [[1], [1, 2]]}, "as many ratings as the others"),
        ("highlights", {"1": ["x"]}, {"1": [[1]]}, "a clip's score must be a finite number"),
        (
            "highlights",
            {"1": [0.1]},
            [{"id": 1, "ratings": [[1]], "relevant_clip_ids": [7], "duration": 4}],
            "1 ratings need as many clip numbers from 0 to 1",
        ),
        ("highlights", {"1": [1], "2": [1]}, {"1": [[1]], "2": [[1, 1]]}, "not all clips were"),
    ],
)
def test_windows_and_ratings_that_are_none(
    write: Files, task: str, found: Any, truth: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        evaluate(task, write("p.json", found), [write("r.json", truth)])


# ---- questions


def test_exact_matches_by_kind(write: Files) -> None:
    truth = [{"question_id": n, "answer": "yes", "type": k} for n, k in enumerate("aab")]
    answers = [{"question_id": 0, "answer": "yes"}, {"question_id": 1, "answer": "Yes."}]
    answers.append({"question_id": 2, "answer": "no"})
    found = figures("questions", write("p.json", answers), write("r.json", truth))
    assert found["exact_match"] == pytest.approx(1 / 3)
    assert found["normalised_match"] == pytest.approx(2 / 3)
    assert found["by_kind"]["a"] == {"accuracy": 0.5, "total": 2}
    assert "vqa_accuracy" not in found


def test_activitynetqas_numbers_have_names(write: Files) -> None:
    truth = [{"question_id": n, "answer": "x", "type": n} for n in (0, 3, 8)]
    found = figures(
        "questions", write("p.json", {"0": "x", "3": "x", "8": ""}), write("r.json", truth)
    )
    assert list(found["by_kind"]) == ["motion", "yes/no", "other", "free"]
    assert found["by_kind"]["free"] == {"accuracy": 0.5, "total": 2}


def test_answers_of_ten_people(write: Files) -> None:
    people = [{"answer": "yes"}] * 2 + [{"answer": "no"}] * 8
    truth = {"annotations": [{"question_id": 1, "answers": people, "question_type": "is"}]}
    found = figures("questions", write("p.json", {"1": "yes"}), write("r.json", truth))
    assert found["vqa_accuracy"] == pytest.approx(0.6)


def test_missing_answers_are_wrong_where_allowed(write: Files) -> None:
    files = write("p.json", {"1": "x", "3": "x"}), write("r.json", {"1": "x", "2": "x"})
    with pytest.raises(DataError, match="1 of 2 references have no prediction: '2'"):
        evaluate("questions", files[0], [files[1]])
    found = evaluate("questions", files[0], [files[1]], Options(allow_missing=True))
    assert found.figures["exact_match"] == 0.5
    assert (found.met.missing, found.met.superfluous) == (("2",), ("3",))


def test_wups_of_files(write: Files) -> None:
    pytest.importorskip("nltk", reason="nltk is not installed: WUPS was not tested")
    if not Path("/usr/share/wordnet/data.noun").is_file():
        pytest.skip("Debian's wordnet-base is not installed: WUPS was not tested")
    found = figures(
        "questions",
        write("p.json", {"1": "box", "2": "qwzx"}),
        write("r.json", {"1": ["carton", "dog"], "2": "dog"}),
        questions=QuestionOptions(wups=True),
    )
    assert found["WUPS"] == {
        "0.9": pytest.approx(0.47, abs=0.01),
        "0.0": pytest.approx(0.47, abs=0.01),
    }


def asked(files: tuple[Path, Path], **options: Any) -> dict[str, Any]:
    return figures("questions", *files, questions=QuestionOptions(**options))["judge"]  # type: ignore[no-any-return]


def test_a_judge_is_asked_about_each_answer(write: Files) -> None:
    truth = [{"id": n, "question": f"What is {n}?", "answer": "x"} for n in (1, 2)]
    files = write("p.json", {"1": "x", "2": "y"}), write("r.json", truth)
    prompts: list[str] = []

    def judge(prompt: str) -> str:
        prompts.append(prompt)
        return '{"score": 5}' if "<given_answer>x<" in prompt else "well"

    found = asked(files, judge=judge)
    assert list(found) == ["correctness", "detail", "context"]
    assert found["detail"]["mean"] == 5
    assert found["detail"]["failed"] == 1
    assert list(found["detail"]["failures"]) == ["2"]
    assert found["correctness"]["prompt"] == prompts[0]
    assert len(prompts) == 6
    whole = evaluate(
        "questions", files[0], [files[1]], Options(questions=QuestionOptions(judge=judge))
    )
    assert whole.notes[0].startswith("correctness: the judge gave 1 answers no score")
    assert judge_prompts(*files[:1], files[1:], ())[0] == prompts[0]


def test_two_wordings_are_judged_for_consistency(write: Files) -> None:
    truth = [{"id": 1, "question": "A?", "second_question": "B?", "answer": "x"}]
    answers = [{"id": 1, "answer": "y", "second_answer": "z"}]
    files = write("p.json", answers), write("r.json", truth)
    found = asked(files, judge=lambda prompt: "4")
    assert list(found) == ["consistency"]
    assert "<second_given_answer>z<" in found["consistency"]["prompt"]
    with pytest.raises(DataError, match="second_answer in the predictions"):
        asked((write("q.json", {"1": "y"}), files[1]), judge=lambda prompt: "4")


def test_a_missing_answer_is_judged_with_nothing_without_asking(write: Files) -> None:
    truth = [{"id": n, "question": "Q?", "answer": "x"} for n in (1, 2)]
    found = figures(
        "questions",
        write("p.json", {"1": "x"}),
        write("r.json", truth),
        allow_missing=True,
        questions=QuestionOptions(judge=lambda prompt: "5", aspects=("temporal",)),
    )
    assert found["judge"]["temporal"]["mean"] == 2.5


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ([{"id": 1, "question": "Q?"}], "must hold the right answers"),
        ([{"id": 1, "answers": []}], "has no right answer"),
        ([{"id": 1, "answer": {"x": 1}}], "a right answer must be|has no right answer"),
        ([{"id": 1, "answer": "x"}, {"id": 1, "answer": "y"}], "stands there twice"),
    ],
)
def test_references_without_answers(write: Files, truth: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluate("questions", write("p.json", {"1": "x"}), [write("r.json", truth)])


def test_a_judge_needs_the_text_of_the_questions(write: Files) -> None:
    files = write("p.json", {"1": "x"}), write("r.json", {"1": "x"})
    with pytest.raises(DataError, match="'1' has no text, which a judge needs"):
        asked(files, judge=lambda prompt: "5")
    text = write("q.json", [{"id": 1, "question": "Q?"}])
    found = figures("questions", *files, text, questions=QuestionOptions(judge=lambda prompt: "5"))
    assert found["judge"]["detail"]["mean"] == 5


# ---- captions

REFERENCES = {"1": ["a cat sleeps", "a sleeping cat"], "2": ["two dogs run in the snow"]}


def test_captions_in_every_shape(write: Files) -> None:
    found = {"1": "a cat sleeps", "2": "two dogs run in the snow"}
    coco = [{"image_id": int(name), "caption": text} for name, text in found.items()]
    lines = "".join(f"{name}\t{text}\n" for name, text in found.items())
    rows = [(name, text) for name, texts in REFERENCES.items() for text in texts]
    truths = [
        write("r.json", REFERENCES),
        write("r.txt", "".join(f"{name}\t{text}\n" for name, text in rows)),
        write("c.json", {"annotations": [{"image_id": n, "caption": text} for n, text in rows]}),
    ]
    expected = {"bleu1": pytest.approx(1), "bleu4": pytest.approx(1), "rouge_l": pytest.approx(1)}
    for predictions in (write("p.json", found), write("k.json", coco), write("p.txt", lines)):
        for truth in truths:
            shape = figures("captions", predictions, truth, meteor=False)
            assert {name: shape[name] for name in expected} == expected
            assert "meteor" not in shape


def test_a_missing_caption_is_an_empty_one(write: Files) -> None:
    files = write("p.json", {"2": "two dogs run in the snow"}), write("r.json", REFERENCES)
    with pytest.raises(DataError, match="1 of 2 references have no prediction"):
        evaluate("captions", files[0], [files[1]], Options(meteor=False))
    found = figures("captions", *files, allow_missing=True, meteor=False)
    assert found["rouge_l"] == pytest.approx(0.5)


def test_sentences_of_answers(write: Files) -> None:
    found = figures(
        "questions",
        write("p.json", {"1": "to the door", "2": "yes"}),
        write("r.json", {"1": "to the door", "2": "no"}),
        questions=QuestionOptions(sentences=True),
    )
    assert found["sentences"]["rouge_l"] == pytest.approx(0.5)
    assert found["sentences"]["bleu1"] == pytest.approx(3 / 4)
    assert {"cider", "meteor"}.isdisjoint(found["sentences"])


@pytest.mark.parametrize(
    ("found", "truth", "message"),
    [
        ({"1": ["a", "b"]}, {"1": "a"}, "has 2 captions; one is judged"),
        ({"1": "a"}, {"1": []}, "has no sentence"),
        ({"1": {"x": "a"}}, {"1": "a"}, "a sentence must be a text, got an object"),
    ],
)
def test_captions_that_are_none(write: Files, found: Any, truth: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluate("captions", write("p.json", found), [write("r.json", truth)])


# ---- choices


def test_choices_by_number_or_text(write: Files) -> None:
    truth = [
        {"id": 1, "answer": 0, "choices": ["cat", "dog"]},
        {"id": 2, "answer": "dog", "choices": ["cat", "dog"]},
        {"id": 3, "answer": 1, "choices": ["2", "1"]},
    ]
    found = evaluate(
        "choices", write("p.json", {"1": "cat", "2": 1, "3": "1"}), [write("r.json", truth)]
    )
    assert found.figures == {"accuracy": 1}
    found = evaluate(
        "choices", write("p.json", {"1": "a cat", "2": 7, "3": 1}), [write("r.json", truth)]
    )
    assert found.figures["accuracy"] == pytest.approx(1 / 3)
    assert found.notes == ("2 answers are none of the choices: they count as wrong",)


def test_nextqas_table_and_its_results(write: Files) -> None:
    """Its question numbers begin anew for each video, and its results repeat the right answer."""
    table = write(
        "r.csv",
        "video,question,answer,qid,type,a0,a1\nv1,q,0,0,CW,x,y\nv1,q,1,1,TN,x,y\nv2,q,1,0,TP,x,y\n",
    )
    results = {
        "v1_0": {"prediction": 0, "answer": 0},
        "v1_1": {"prediction": 0, "answer": 1},
        "v2_0": {"prediction": 1, "answer": 1},
    }
    found = figures("choices", write("p.json", results), table)
    assert (found["Acc@C"], found["Acc@T"], found["Acc@D"]) == (1, 0.5, None)
    assert found["Acc@All"] == pytest.approx(2 / 3)


def test_egoschemas_mapping(write: Files) -> None:
    assert figures("choices", write("p.json", {"u": 3}), write("r.json", {"u": 3})) == {
        "accuracy": 1
    }


@pytest.mark.parametrize(
    ("found", "truth", "message"),
    [
        ({"1": 0}, [{"id": 1, "answer": "bird", "choices": ["cat"]}], "is none of the choices"),
        ({"1": "cat"}, {"1": 0}, "the references list no choices"),
        ({"1": {"x": 0}}, {"1": 0}, "is not named; name it prediction"),
        ({"1": [0]}, {"1": 0}, "must be a text, got a list"),
        ({"1": 0}, [{"id": 1, "answer": 0, "choices": "cat"}], "choices must be a list"),
    ],
)
def test_choices_that_are_none(write: Files, found: Any, truth: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluate("choices", write("p.json", found), [write("r.json", truth)])


# ---- labels


def test_one_label_each(write: Files) -> None:
    truth = write("r.csv", "id,label\n1,cat\n2,cat\n3,dog\n4,dog\n")
    found = figures("labels", write("p.csv", "id,label\n1,cat\n2,dog\n3,dog\n4,dog\n"), truth)
    assert found["accuracy"] == found["micro"]["f1"] == 0.75
    assert found["mean_class_accuracy"] == 0.75
    assert found["by_class"]["dog"] == {
        "precision": pytest.approx(2 / 3),
        "recall": 1,
        "f1": pytest.approx(0.8),
        "support": 2,
    }
    assert found["confusion"] == {"cat": {"cat": 1, "dog": 1}, "dog": {"dog": 2}}


def test_a_missing_label_is_wrong_and_no_class(write: Files) -> None:
    found = figures(
        "labels",
        write("p.json", {"1": "cat"}),
        write("r.json", {"1": "cat", "2": "cat"}),
        allow_missing=True,
    )
    assert found["accuracy"] == 0.5
    assert found["by_class"]["cat"]["precision"] == 1
    assert found["confusion"] == {"cat": {"cat": 1, "(nothing)": 1}}


def test_a_label_that_no_reference_has_is_noted(write: Files) -> None:
    found = evaluate("labels", write("p.json", {"1": "cta"}), [write("r.json", {"1": "cat"})])
    assert found.notes == ("no reference has the predicted 'cta'",)
    assert found.figures["accuracy"] == 0


def test_scores_that_are_probabilities_are_calibrated_too(write: Files) -> None:
    truth = write("r.json", {"1": "cat", "2": "dog"})
    table = write("p.csv", "id,cat,dog,bird\n1,0.5,0.25,0.25\n2,0.5,0.5,0\n")
    found = figures("labels", table, truth)
    assert found["top-1"] == found["accuracy"] == 0.5  # equal best scores earn nothing
    assert "top-5" not in found  # of three classes
    assert found["calibration"]["NLL"] == pytest.approx(np.log(2))
    assert found["calibration"]["Brier"] == pytest.approx((0.375 + 0.5) / 2)
    assert found["calibration"]["ECE"] == pytest.approx(0, abs=1e-9)
    logits = write("l.json", {"1": {"cat": 9, "dog": 1}, "2": {"cat": 0, "dog": 3}})
    assert "calibration" not in figures("labels", logits, truth)


def test_views_are_averaged_only_when_asked_for(write: Files) -> None:
    truth = write("r.json", {"1": "cat"})
    views = [
        {"id": 1, "scores": {"cat": 0.9, "dog": 0.1}},
        {"id": 1, "scores": {"cat": 0.0, "dog": 1.0}},
    ]
    path = write("p.jsonl", views)
    with pytest.raises(DataError, match="'1' stands there twice"):
        evaluate("labels", path, [truth])
    assert figures("labels", path, truth, average_views=True)["accuracy"] == 0
    with pytest.raises(DataError, match="has no scores, which views need"):
        evaluate("labels", write("n.json", {"1": "cat"}), [truth], Options(average_views=True))


def test_several_labels_have_average_precision(write: Files) -> None:
    truth = write("r.csv", "id,labels\n1,cat|dog\n2,dog\n3,cat\n")
    scores = {
        "1": {"cat": 0.9, "dog": 0.8, "bird": 0.1},
        "2": {"cat": 0.5, "dog": 0.9, "bird": 0.1},
        "3": {"cat": 0.4, "dog": 0.1, "bird": 0.1},
    }
    found = figures("labels", write("p.json", scores), truth)
    assert found["by_class"]["dog"] == {"average_precision": 1, "support": 2}
    assert found["by_class"]["bird"] == {"average_precision": None, "support": 0}
    assert found["mAP"] == pytest.approx((1 + (1 + 2 / 3) / 2) / 2)
    del scores["3"]  # ranks behind all
    found = figures("labels", write("p.json", scores), truth, allow_missing=True)
    assert found["mAP"] == pytest.approx((1 + (1 + 2 / 3) / 2) / 2)


@pytest.mark.parametrize(
    ("found", "truth", "message"),
    [
        ({"1": "cat"}, {"1": ["cat", "dog"]}, "must give a score for each class"),
        ({"1": ["cat", "dog"]}, {"1": "cat"}, "predicts 2 labels and each video has one"),
        ({"1": {"cat": 1}, "2": "cat"}, {"1": "cat", "2": "cat"}, "some have names"),
        ({"1": {"cat": 1}, "2": {"dog": 1}}, {"1": "cat", "2": "cat"}, "not the classes of the"),
        ({"1": {"cat": 1}}, {"1": "dog"}, "no score for the classes 'dog'"),
        ({"1": {"cat": "x"}}, {"1": "cat"}, "score of 'cat' must be a finite number"),
        ({"1": "cat"}, {"1": ["cat", "cat"]}, "has a label twice"),
        ({"1": "cat"}, {"1": {"cat": 1}}, "has no label"),
    ],
)
def test_labels_that_are_none(write: Files, found: Any, truth: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluate("labels", write("p.json", found), [write("r.json", truth)])


# ---- all tasks


@pytest.mark.parametrize("task", [task for task in TASKS if task != "retrieval"])
def test_every_task_needs_references(write: Files, task: str) -> None:
    with pytest.raises(UsageError, match="need --references"):
        evaluate(task, write("p.json", {"1": "x"}), [])
    if task != "questions":
        with pytest.raises(UsageError, match="one file of references, got 2"):
            evaluate(task, write("p.json", {"1": "x"}), [Path("a.json"), Path("b.json")])


@pytest.mark.parametrize("task", TASKS)
def test_every_task_refuses_files_that_do_not_meet(write: Files, task: str) -> None:
    value: Any = {"moments": [[0, 1]], "highlights": [1], "choices": 0}.get(task, "x")
    found = ["x"] if task == "retrieval" else value
    with pytest.raises(DataError, match="no id is in both files"):
        evaluate(task, write("p.json", {"1": found}), [write("r.json", {"2": value})])


def test_another_task_is_refused() -> None:
    with pytest.raises(UsageError, match="no task 'speed'; allowed: retrieval, moments"):
        evaluate("speed", Path("p.json"), [])
