"""Two looks at one picture: what they share, and which of them is believed."""

from __future__ import annotations

import numpy as np
import pytest

from scenewise.media.text_boxes import Found, TextBox, better, letters, overlap, pair


def found(left: int, upper: int, right: int, lower: int) -> Found:
    corners = [[left, upper], [right, upper], [right, lower], [left, lower]]
    return Found(np.array(corners, np.float32), 0.8)


def box(text: str, score: float = 1.0) -> TextBox:
    return TextBox(found(0, 0, 10, 10).corners, text, score)


WHOLE = found(0, 0, 200, 20)
NEARLY = found(2, 1, 198, 20)
LEFT, RIGHT = found(0, 0, 80, 20), found(110, 0, 200, 20)
ELSEWHERE = found(0, 300, 200, 320)


@pytest.mark.parametrize(
    ("fine", "coarse", "shapes"),
    [
        ([], [], []),
        ([WHOLE], [NEARLY], [(1, 1, True)]),
        ([LEFT, RIGHT], [WHOLE], [(2, 1, False)]),
        ([WHOLE], [LEFT, RIGHT], [(1, 2, False)]),
        ([WHOLE], [ELSEWHERE], [(1, 0, False), (0, 1, False)]),
        ([WHOLE, ELSEWHERE], [ELSEWHERE, NEARLY], [(1, 1, True), (1, 1, True)]),
    ],
    ids=["nothing", "agree", "cut up by the fine", "cut up by the coarse", "apart", "two lines"],
)
def test_every_box_is_in_one_pairing(
    fine: list[Found], coarse: list[Found], shapes: list[tuple[int, int, bool]]
) -> None:
    pairings = pair(fine, coarse)
    assert sorted((len(p.fine), len(p.coarse), p.agree) for p in pairings) == sorted(shapes)
    assert {id(one) for p in pairings for one in p.fine} == {id(one) for one in fine}
    assert {id(one) for p in pairings for one in p.coarse} == {id(one) for one in coarse}


def test_the_look_by_which_more_letters_are_right_is_believed() -> None:
    whole, pieces = [box("kitchen window")], [box("kitch"), box("windo")]
    assert better(pieces, whole) == whole
    assert better(whole, pieces) == whole
    assert better([box("one line"), box("and the next")], [box("cnadinheext", 0.6)])[1].text
    assert better([], whole) == whole
    assert better([], []) == []


def test_a_chinese_character_counts_as_two_letters() -> None:
    assert [letters(text) for text in ("a b!", "天气", "7.", "--")] == [2, 4, 1, 0]


def test_overlap_is_shared_ground_over_all_ground() -> None:
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0
