"""Facts about series: what a file says, what is refused and how, what stands at which instant."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from scenewise.errors import UsageError
from scenewise.media.series import Series, align_series, read_series


def write(folder: Path, text: str) -> Path:
    path = folder / "sensor.csv"
    path.write_text(text, "utf-8")
    return path


def one(times: list[float], values: list[float]) -> Series:
    return Series(np.array(times), np.array(values)[:, None], ("v",), ("",))


def test_columns_units_and_gaps(tmp_path: Path) -> None:
    series = read_series(
        write(
            tmp_path, "time,speed [km/h],heart rate (bpm),x\n0,50.5,,1\n0.5,nan,80,2\n1.0,52,81,3\n"
        )
    )
    assert series.names == ("speed", "heart rate", "x")
    assert series.units == ("km/h", "bpm", "")
    assert series.times.tolist() == [0.0, 0.5, 1.0]
    expected = [[50.5, math.nan, 1], [math.nan, 80, 2], [52, 81, 3]]
    np.testing.assert_array_equal(series.values, expected)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_an_empty_line_and_a_mark(tmp_path: Path, delimiter: str) -> None:
    text = "\ufeffa,t [ms]\n\n1,1500\n2,2500\n".replace(",", delimiter)
    series = read_series(write(tmp_path, text))
    assert (series.names, series.times.tolist()) == (("a",), [1.5, 2.5])


def test_columns_are_chosen_by_name_and_order(tmp_path: Path) -> None:
    path = write(tmp_path, "when,a,b,c\n1,2,3,x\n")
    series = read_series(path, time="when", columns=["b", "a"])
    assert (series.names, series.values.tolist()) == (("b", "a"), [[3, 2]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "no column of times among a, b"),
        ("time\n1\n", "no column beside 'time'"),
        ("time,a\n", "a header and no rows"),
        ("time,a,a\n1,2,3\n", "two columns 'a'"),
        ("time,a\n0,1\n\n1,2,3\n", "line 4: 3 cells where the header has 2"),
        ("time,a\n0,1\n1,fast\n", "line 3: a is 'fast', which is no number"),
        ("time,a\n0,inf\n", "line 2: a is 'inf'"),
        ("time;a\n0;1,5\n", "a is '1,5', which is no number.*with a point"),
        ("time,a\n,1\n", "line 2: time is empty"),
        ("time,a\n0,1\n2,1\n2,1\n", "line 4: the time 2 s is not after 2 s"),
        ("time [h],a\n0,1\n", "times are in 'h'; allowed are s and ms"),
    ],
)
def test_what_is_refused_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_series(write(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "sensor.csv" in str(caught.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_series(tmp_path / "no.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="no text in UTF-8"):
        read_series(tmp_path / "bytes.csv")
    with pytest.raises(UsageError, match="no column 'z'; there are time, a"):
        read_series(write(tmp_path, "time,a\n0,1\n"), columns=["z"])


def test_interpolation_stops_at_ends_and_gaps() -> None:
    series = one([0, 1, 2, 3, 10, 11], [0, 10, 20, 30, 100, 110])
    aligned = align_series(series, [-0.5, 0.0, 0.25, 2.5, 3.0, 5.0, 10.0, 10.5, 11.5])
    assert aligned.mask[:, 0].tolist() == [False, True, True, True, True, False, True, True, False]
    assert aligned.values[:, 0].tolist() == [0, 0, 2.5, 25, 30, 0, 100, 105, 0]
    bridged = align_series(series, [5.0], longest_gap=7.0)
    assert bridged.values.tolist() == [[50.0]]


def test_missing_cells_are_gaps_of_their_own_channel() -> None:
    values = np.array([[0, 0], [1, np.nan], [2, np.nan], [3, np.nan], [4, 4], [5, 5], [6, 6]])
    series = Series(np.arange(7.0), values, ("a", "b"), ("", ""))
    aligned = align_series(series, [2.0, 4.5])
    assert aligned.mask.tolist() == [[True, False], [True, True]]
    assert aligned.values.tolist() == [[2, 0], [4.5, 4.5]]


def test_window_means_are_half_open() -> None:
    series = one([0.0, 0.25, 0.5, 0.75, 1.0, 3.0], [1, 2, 3, 4, 5, 9])
    aligned = align_series(series, [0.25, 0.75, 2.0, 3.0], window=0.5)
    assert aligned.values[:, 0].tolist() == [1.5, 3.5, 0.0, 9.0]
    assert aligned.mask[:, 0].tolist() == [True, True, False, True]


@pytest.mark.parametrize("window", [None, 0.5])
def test_an_offset_moves_the_series(window: float | None) -> None:
    series = one([0, 1, 2], [5, 6, 7])
    moved = align_series(series, [10.0, 11.0, 0.0], offset=10.0, window=window)
    assert moved.values[:, 0].tolist() == [5, 6, 0]
    assert moved.mask[:, 0].tolist() == [True, True, False]


def test_a_channel_without_numbers_is_masked() -> None:
    aligned = align_series(one([0, 1], [math.nan, math.nan]), [0.0, 0.5])
    assert not aligned.mask.any()
    assert align_series(one([1], [4]), [1.0, 1.1]).mask[:, 0].tolist() == [True, False]


def test_values_that_are_refused() -> None:
    series = one([0, 1], [0, 1])
    for options, message in (({"window": 0.0}, "window is 0"), ({"offset": math.inf}, "offset")):
        with pytest.raises(UsageError, match=message):
            align_series(series, [0.0], **options)
    with pytest.raises(UsageError, match="finite seconds"):
        align_series(series, [math.nan])
    with pytest.raises(ValueError, match="another shape"):
        Series(np.zeros(2), np.zeros((3, 1)), ("a",), ("",))
