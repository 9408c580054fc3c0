"""Cut the moments of a match that look like something while something loud is heard, as a reel.

A moment counts where the words match the picture and a loud onset (the crowd, a starting gun) is
at most some seconds away. Moments that overlap with their padding are one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from make_media import generated

from scenewise import Library, Moment, ScenewiseError


def loud_moments(
    seen: Sequence[Moment], heard: Sequence[Moment], within: float
) -> list[tuple[Moment, Moment]]:
    """Each seen moment with the onset nearest to it, where one is near enough."""
    found = []
    for moment in seen:
        gaps = [(max(moment.start - one.end, one.start - moment.end, 0.0), one) for one in heard]
        gap, onset = min(gaps, key=lambda pair: pair[0], default=(within + 1, None))
        if onset is not None and gap <= within:
            found.append((moment, onset))
    return found


def spans(pairs: Sequence[tuple[Moment, Moment]], padding: float) -> list[tuple[float, float]]:
    """Moments with their onsets and some seconds around them, in order of time, joined."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(
        (max(0.0, min(seen.start, heard.start) - padding), max(seen.end, heard.end) + padding)
        for seen, heard in pairs
    ):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("film", nargs="?", type=Path, help="one video (default: a generated one)")
    parser.add_argument("--query", default="a motorcycle", help="what is to be seen")
    parser.add_argument("--sound", default="a loud bang", help="what is to be heard")
    parser.add_argument("--within", type=float, default=2.0, help="seconds between the two (2)")
    parser.add_argument("--padding", type=float, default=1.0, help="seconds around (1)")
    parser.add_argument("--reel", type=Path, default=Path("highlights.mp4"), help="what is written")
    parser.add_argument("--library", help="where the index is kept (default: scenewise's own)")
    parser.add_argument("--encoder", help="what looks at the pictures, for a new library")
    wanted = parser.parse_args()
    film = wanted.film or generated("match") / "race.mp4"
    place = wanted.library or (None if wanted.film else film.parents[1] / "library")
    with Library.open(place, encoder=wanted.encoder) as library:
        for failure in library.index(film).failed:
            print(f"{failure.path}: {failure.reason}", file=sys.stderr)
            return 1
        find = partial(library.search, video=film, all_occurrences=True)
        seen = find(wanted.query, modalities=["visual"]).hits
        heard = find(wanted.sound, modalities=["audio"]).hits
        pairs = loud_moments(seen, heard, wanted.within)
        print(f"{len(seen)} moments seen, {len(heard)} heard, {len(pairs)} of the seen are loud")
        chosen = spans(pairs, wanted.padding)
        if not chosen:
            return 0
        for start, end in chosen:
            print(f"{start:.1f}-{end:.1f} s")
        clips = [f"{film}@{start}-{end}" for start, end in chosen]
        folder = wanted.reel.with_suffix("")
        written = library.cut(clips, folder, reel=wanted.reel)
        print(f"{written[-1]}, and {len(written) - 1} clips in {folder}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ScenewiseError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
