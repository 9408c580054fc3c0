"""Generated views and everyday rules: what the default threshold of ``watch`` is chosen on.

Photographs that come inside scikit-image and scikit-learn are looked at by a camera that takes a
part of them, drifts a little, and changes its light and its noise: one view, some seconds long.
The sentences are what people would have watched; for each it is written down which photographs
show it, or might be said to. No reference clip is looked at here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from benchmarks.locate_films import photograph
from scenewise.encoders.spec import Encoder, WindowFeatures
from scenewise.index.arrays import join
from scenewise.media.scale import scale_picture

PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "china.jpg",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "flower.jpg",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
_PEOPLE, _OUTDOORS = ("astronaut", "camera"), ("camera", "china", "grass", "flower", "rocket")
_WHEELS, _SKY = ("motorcycle_left",), ("rocket", "moon", "hubble_deep_field", "china", "camera")
_TEXT = ("page", "text", "clock_motion")
# what is watched for, and the photographs that show it or might be said to
SENTENCES: dict[str, tuple[str, ...]] = {
    "a person at the door": _PEOPLE,
    "a person walking": _PEOPLE,
    "somebody climbs over a fence": _PEOPLE,
    "a man with a hat": _PEOPLE,
    "a woman with an umbrella": _PEOPLE,
    "children playing": _PEOPLE,
    "a crowd of people": _PEOPLE,
    "a baby in a crib": _PEOPLE,
    "people sitting at a table": (*_PEOPLE, "coffee"),
    "a soccer game": (*_PEOPLE, "grass"),
    "a basketball player": _PEOPLE,
    "a swimmer in a pool": _PEOPLE,
    "a skier on a slope": _PEOPLE,
    "a surfer on a wave": _PEOPLE,
    "a wedding": _PEOPLE,
    "a person riding a bicycle": (*_PEOPLE, *_WHEELS),
    "somebody playing a guitar": _PEOPLE,
    "a band on a stage": _PEOPLE,
    "a cook in a kitchen": (*_PEOPLE, "coffee"),
    "a doctor in a hospital": (*_PEOPLE, "retina", "cell", "ihc"),
    "a police officer": _PEOPLE,
    "a soldier": _PEOPLE,
    "a car in the driveway": _WHEELS,
    "a truck at the gate": _WHEELS,
    "a parked van": _WHEELS,
    "a bus at a stop": _WHEELS,
    "a train at a station": (),
    "a taxi in a street": _WHEELS,
    "a fire engine": _WHEELS,
    "an ambulance": _WHEELS,
    "a motorcycle": _WHEELS,
    "a bicycle leaning on a wall": _WHEELS,
    "a boat on the water": ("china",),
    "a sailing ship": (),
    "an airplane on the runway": ("rocket", "astronaut"),
    "a helicopter": ("rocket", "astronaut"),
    "a forklift in a warehouse": _WHEELS,
    "a tractor on a field": (*_WHEELS, "grass"),
    "an excavator": _WHEELS,
    "a crane at a building site": ("rocket", "camera"),
    "traffic on a highway": _WHEELS,
    "a dog in the garden": ("chelsea", "grass", "flower"),
    "a cat on the sofa": ("chelsea",),
    "a horse in a stable": (),
    "a cow on a meadow": ("grass",),
    "sheep": (),
    "a bird at the feeder": ("flower",),
    "an owl": (),
    "ducks on a pond": (),
    "a fox at night": ("chelsea",),
    "a bear in the forest": (),
    "a deer": (),
    "a squirrel": ("chelsea",),
    "a rabbit": ("chelsea",),
    "fish in an aquarium": (),
    "a snake": (),
    "a spider in its web": (),
    "a butterfly on a flower": ("flower",),
    "bees at a hive": ("flower", "cell", "ihc"),
    "an elephant": (),
    "a lion": ("chelsea",),
    "a monkey": (),
    "a chicken in the yard": (),
    "a fire with flames": ("rocket",),
    "a column of smoke rising into the sky": ("rocket",),
    "a wrecked car after a crash": _WHEELS,
    "lightning in a storm": _SKY,
    "a flooded street": (),
    "snow on the ground": (),
    "a waterfall": (),
    "waves on a beach": (),
    "a mountain lake": ("china",),
    "a volcano": ("rocket",),
    "a sunset over the sea": ("flower",),
    "a cup of coffee": ("coffee",),
    "a bottle of wine": ("coffee",),
    "a pizza": ("coffee",),
    "fruit in a bowl": ("coffee",),
    "a birthday cake": ("coffee",),
    "a table that is laid for dinner": ("coffee",),
    "an open refrigerator": (),
    "a pot on the stove": ("coffee",),
    "a washing machine": (),
    "a bed in a bedroom": (),
    "a bookshelf": ("page", "text"),
    "a computer on a desk": (*_TEXT, "camera"),
    "a mobile phone": ("camera",),
    "a television": (),
    "a printed page": _TEXT,
    "a clock on the wall": ("clock_motion",),
    "a piano": (),
    "a drum": (),
    "a church": ("china", "camera"),
    "a castle": ("china", "camera"),
    "a bridge over a river": ("china",),
    "a lighthouse": ("camera", "rocket"),
    "a windmill": (),
    "a greenhouse": ("flower",),
    "an empty parking lot": ("gravel", "brick", *_WHEELS),
    "a supermarket shelf": (),
    "a package in front of the door": (),
    "a suitcase that was left behind": (),
    "an open gate": ("china",),
    "a broken window": (),
    "graffiti on a wall": ("brick", "text"),
    "a heap of rubbish": ("gravel",),
    "a ladder at the house": ("rocket", *_WHEELS),
    "a weapon": ("rocket",),
    "a knife": ("coffee",),
    "a balloon": ("moon", "flower"),
}
# what its photograph surely shows: sentence, photograph
CLEAR = (
    ("a cat on the sofa", "chelsea"),
    ("a cat", "chelsea"),
    ("a cup of coffee", "coffee"),
    ("a motorcycle", "motorcycle_left"),
    ("a printed page", "page"),
    ("a temple by the lake", "china"),
    ("a flower in bloom", "flower"),
    ("a man with a camera on a tripod", "camera"),
    ("a rocket is launched", "rocket"),
    ("a clock on the wall", "clock_motion"),
    ("old coins", "coins"),
    ("a brick wall", "brick"),
    ("stars and galaxies in space", "hubble_deep_field"),
    ("a woman in a space suit", "astronaut"),
)
WIDTH, HEIGHT = 320, 240
VIEW_SECONDS = 30.0  # how long a view is taken to last, for rates


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Some seconds of one photograph: its name without the suffix, and the windows in order."""

    photograph: str
    features: WindowFeatures


def views(encoder: Encoder, per_photograph: int, instants: int, seed: int = 0) -> list[View]:
    """``per_photograph`` views of ``instants`` windows of each photograph."""
    random = np.random.default_rng(seed)
    found = []
    for name in PHOTOGRAPHS:
        image = photograph(name)
        for _ in range(per_photograph):
            parts = [
                encoder.encode_windows(scale_picture(frame, encoder.spec.target)[None, None])
                for frame in _frames(image, instants, random)
            ]
            found.append(View(name.partition(".")[0], join(parts)))
    return found


def _frames(image: Image.Image, count: int, random: np.random.Generator) -> list[Image.Image]:
    """A part of the photograph, drifting; light and noise change from frame to frame."""
    share = float(random.uniform(0.45, 1.0))
    size = np.array(image.size) * share
    start = random.uniform(0, 1, 2) * (np.array(image.size) - size)
    drift = random.normal(0, 0.01, 2) * np.array(image.size)
    gain, noise = random.uniform(0.6, 1.2), random.uniform(0, 8)
    frames = []
    for number in range(count):
        corner = np.clip(start + number * drift, 0, np.array(image.size) - size)
        box = (*corner.tolist(), *(corner + size).tolist())
        small = np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=box))
        shaken = small * (gain + random.normal(0, 0.02)) + random.normal(0, noise, small.shape)
        frames.append(Image.fromarray(np.clip(shaken, 0, 255).astype(np.uint8)))
    return frames
