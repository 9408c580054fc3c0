"""Readers of questions, on small files of their forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scenewise.data.annotations.registry import read_annotations
from scenewise.data.rows import QuestionRow
from scenewise.errors import DataError


def put(folder: Path, name: str, value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    (folder / name).write_text(text, "utf-8")


NEXT = "video,frame_count,width,height,question,answer,qid,type"
ROW = "12,9,6,4,why does he run,1,3,CW,tired,late,bored,angry,happy"


def test_nextqa_has_five_choices_and_the_number_of_the_right_one(tmp_path: Path) -> None:
    equal = "12,9,6,4,what is it,2,4,DO,dog,dog,dog,cat,owl"
    put(tmp_path, "val.csv", f"{NEXT},a0,a1,a2,a3,a4\n{ROW}\n{equal}\n")
    found = read_annotations("nextqa", tmp_path, "val")
    choices = ("tired", "late", "bored", "angry", "happy")
    assert found.rows[0] == QuestionRow(
        "12", "why does he run", ("late",), choices, "CW", id="12_3", choice=1
    )
    # the text alone would be the first of the equal ones
    assert (found.rows[1].choice, found.rows[1].answers) == (2, ("dog",))
    assert found.notes == (
        "1 of the questions have two equal choices; the right one is told by its number",
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (ROW.replace(",1,3,", ",5,3,"), "line 2: 'answer' is '5'; allowed: .* 0 to 4"),
        (ROW.replace("angry", ""), "line 2: 'a3' is empty"),
        (ROW.replace(",3,CW", ",,CW"), "line 2: 'qid' is empty"),
        (f"{ROW}\n{ROW}", "line 3: question '12_3' stands there already"),
    ],
)
def test_nextqa_says_what_is_wrong(tmp_path: Path, row: str, said: str) -> None:
    put(tmp_path, "val.csv", f"{NEXT},a0,a1,a2,a3,a4\n{row}\n")
    with pytest.raises(DataError, match=said):
        read_annotations("nextqa", tmp_path, "val")


def test_nextqa_in_words_has_a_second_answer_where_there_is_one(tmp_path: Path) -> None:
    table = (
        f"{NEXT},additional_ref_answer\n5,1,1,1,why,because,0,CW,for fun\n5,1,1,1,who,me,1,DO,\n"
    )
    put(tmp_path, "test.csv", table)
    first, second = read_annotations("nextqa_open", tmp_path, "test").rows
    assert (first.answers, first.choices) == (("because", "for fun"), ())
    assert second.answers == ("me",)
    put(tmp_path, "test.csv", f"{NEXT},a0,a1,a2,a3,a4\n{ROW}\n")
    with pytest.raises(DataError, match="has choices; the open-ended form is another"):
        read_annotations("nextqa_open", tmp_path, "test")


def test_activitynet_qa_joins_by_the_question_whatever_the_order(tmp_path: Path) -> None:
    questions = [
        {"video_name": "abc", "question": "is it", "question_id": "v_abc_1"},
        {"video_name": "abc", "question": "which color", "question_id": "v_abc_2"},
    ]
    answers = [
        {"answer": "red", "type": 4, "question_id": "v_abc_2"},
        {"answer": "yes", "type": 3, "question_id": "v_abc_1"},
    ]
    put(tmp_path, "val_q.json", questions)
    put(tmp_path, "val_a.json", answers)
    assert read_annotations("activitynet_qa", tmp_path, "val").rows == (
        QuestionRow("abc", "is it", ("yes",), kind="yes or no", id="v_abc_1"),
        QuestionRow("abc", "which color", ("red",), kind="color", id="v_abc_2"),
    )
    put(tmp_path, "val_a.json", answers[1:])
    with pytest.raises(DataError, match="question 'v_abc_2' has no answer in val_a"):
        read_annotations("activitynet_qa", tmp_path, "val")
    put(tmp_path, "val_a.json", [{**answers[0], "type": 9}, answers[1]])
    with pytest.raises(DataError, match="'type' is 9; allowed: a whole number, 0 to 8"):
        read_annotations("activitynet_qa", tmp_path, "val")
    put(tmp_path, "val_a.json", [*answers, answers[0]])
    with pytest.raises(DataError, match="entry 3: question_id 'v_abc_2' stands there already"):
        read_annotations("activitynet_qa", tmp_path, "val")


def test_msrvtt_and_msvd_qa_share_a_form(tmp_path: Path) -> None:
    entry = {"id": 5, "video_id": 12, "question": "What is he doing?", "answer": "run"}
    put(tmp_path, "test_qa.json", [{**entry, "category_id": 3}])
    (first,) = read_annotations("msrvtt_qa", tmp_path, "test").rows
    assert first == QuestionRow("video12", "What is he doing?", ("run",), kind="what", id="5")
    assert read_annotations("msvd_qa", tmp_path, "test").videos == ("vid12",)
    put(tmp_path, "youtube_mapping.txt", "-4wsuPCjDBc_5_15 vid12\n")
    assert read_annotations("msvd_qa", tmp_path, "test").videos == ("-4wsuPCjDBc_5_15",)
    put(tmp_path, "youtube_mapping.txt", "-4wsuPCjDBc_5_15 vid13\n")
    with pytest.raises(DataError, match="has no vid12, about which there is a question"):
        read_annotations("msvd_qa", tmp_path, "test")


def egoschema(number: str) -> dict[str, str]:
    return {
        "q_uid": number,
        "question": "What is C doing?",
        **{f"option {choice}": f"thing {choice}" for choice in range(5)},
    }


def test_egoschema_has_the_subset_and_all(tmp_path: Path) -> None:
    put(tmp_path, "questions.json", [egoschema("a"), egoschema("b")])
    assert [row.answers for row in read_annotations("egoschema", tmp_path, "test").rows] == [(), ()]
    with pytest.raises(DataError, match=r"looked for subset_answers\.json"):
        read_annotations("egoschema", tmp_path, "subset")
    put(tmp_path, "subset_answers.json", {"b": 3})
    (row,) = read_annotations("egoschema", tmp_path, "subset").rows
    assert (row.video, row.answers, row.choice) == ("b", ("thing 3",), 3)
    assert len(read_annotations("egoschema", tmp_path, "test")) == 2
    put(tmp_path, "subset_answers.json", {"b": 5})
    with pytest.raises(DataError, match="'b' is 5; allowed: a whole number, 0 to 4"):
        read_annotations("egoschema", tmp_path, "subset")
    put(tmp_path, "subset_answers.json", {"b": 1, "c": 1})
    with pytest.raises(DataError, match="has 1 of the 2 questions of the subset"):
        read_annotations("egoschema", tmp_path, "subset")


VIDEO = {
    "video_id": "001",
    "duration": "short",
    "url": "https://www.youtube.com/watch?v=fFjv93ACGo8",
    "videoID": "fFjv93ACGo8",
}
QUESTION = {
    "question_id": "001-1",
    "task_type": "Counting Problem",
    "question": "How many?",
    "options": ["A. One, or two.", "B. It's 3.", "C. 4.", "D. 5."],
    "answer": "B",
}


def csv_row(options: str) -> str:
    cells = (VIDEO["videoID"], "short", "001-1", "Counting Problem", "How many?", options, "B")
    quoted = ",".join('"{}"'.format(cell.replace('"', '""')) for cell in cells)
    return f"videoID,duration,question_id,task_type,question,options,answer\n{quoted}\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("videomme.json", [{**VIDEO, "questions": [QUESTION]}]),
        ("videomme.json", [{**VIDEO, **QUESTION}]),
        ("videomme.jsonl", json.dumps({**VIDEO, **QUESTION})),
        ("videomme.csv", csv_row(json.dumps(QUESTION["options"]))),
        ("videomme.csv", csv_row(repr(QUESTION["options"]))),
        ("videomme.csv", csv_row("""['A. One, or two.' "B. It's 3." 'C. 4.'\n 'D. 5.']""")),
    ],
    ids=["nested", "flat", "lines", "csv of JSON", "csv of Python", "csv of NumPy"],
)
def test_videomme_is_the_same_in_every_form(tmp_path: Path, name: str, value: Any) -> None:
    put(tmp_path, name, value)
    assert read_annotations("videomme", tmp_path, "test").rows == (
        QuestionRow(
            "fFjv93ACGo8",
            "How many?",
            ("It's 3.",),
            ("One, or two.", "It's 3.", "4.", "5."),
            "Counting Problem",
            id="001-1",
            choice=1,
            group="short",
        ),
    )


def test_videomme_as_a_tab_separated_table_of_candidates(tmp_path: Path) -> None:
    put(
        tmp_path,
        "videomme.tsv",
        "index\tvideo\tquestion_id\tquestion\tcandidates\tanswer\n"
        "0\tabc\t1\tWhich?\t['A. x', 'B. y']\tA\n",
    )
    (row,) = read_annotations("videomme", tmp_path, "test").rows
    assert (row.video, row.answers, row.choices) == ("abc", ("x",), ("x", "y"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer": "E"}, "'answer' is 'E'; allowed: A, B, C, D"),
        ({"answer": "two"}, "'answer' is 'two'; allowed: A, B, C, D"),
        ({"options": "A or B"}, "'options' is 'A or B'; allowed: a list of texts"),
        ({"options": ["A. ", "B. x"]}, "choice 'A.' has no words"),
    ],
)
def test_videomme_says_what_is_wrong(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    put(tmp_path, "videomme.json", [{**VIDEO, "questions": [{**QUESTION, **change}]}])
    with pytest.raises(DataError, match=said):
        read_annotations("videomme", tmp_path, "test")


def test_videomme_says_that_parquet_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="A Parquet file is not read"):
        read_annotations("videomme", tmp_path, "test")
