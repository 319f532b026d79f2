"""The sequences of MOTChallenge's benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

COPIES = ("DPM", "FRCNN", "SDP")  # MOT17 has each sequence once per public detector


@dataclass(frozen=True)
class Benchmark:
    """The sequences that a benchmark consists of, with their number of frames (https://motchallenge.net)."""

    name: str
    train: dict[str, int]
    test: dict[str, int]

    @property
    def lengths(self) -> dict[str, int]:
        """Every sequence's number of frames."""
        return {**self.train, **self.test}


def _numbered(benchmark: str, lengths: dict[int, int], copies: tuple[str, ...] = ("",)) -> dict[str, int]:
    return {
        f"{benchmark}-{number:02d}{'-' if copy else ''}{copy}": length
        for number, length in lengths.items()
        for copy in copies
    }


_TRAIN_16 = {2: 600, 4: 1050, 5: 837, 9: 525, 10: 654, 11: 900, 13: 750}
_TEST_16 = {1: 450, 3: 1500, 6: 1194, 7: 500, 8: 625, 12: 900, 14: 750}
BENCHMARKS = (
    Benchmark(
        "MOT15",
        {
            "ADL-Rundle-6": 525, "ADL-Rundle-8": 654, "ETH-Bahnhof": 1000, "ETH-Pedcross2": 837, "ETH-Sunnyday": 354,
            "KITTI-13": 340, "KITTI-17": 145, "PETS09-S2L1": 795, "TUD-Campus": 71, "TUD-Stadtmitte": 179,
            "Venice-2": 600,
        },
        {
            "ADL-Rundle-1": 500, "ADL-Rundle-3": 625, "AVG-TownCentre": 450, "ETH-Crossing": 219, "ETH-Jelmoli": 440,
            "ETH-Linthescher": 1194, "KITTI-16": 209, "KITTI-19": 1059, "PETS09-S2L2": 436, "TUD-Crossing": 201,
            "Venice-1": 450,
        },
    ),
    Benchmark("MOT16", _numbered("MOT16", _TRAIN_16), _numbered("MOT16", _TEST_16)),
    Benchmark("MOT17", _numbered("MOT17", _TRAIN_16, COPIES), _numbered("MOT17", _TEST_16, COPIES)),
    Benchmark(
        "MOT20",
        _numbered("MOT20", {1: 429, 2: 2782, 3: 2405, 5: 3315}),
        _numbered("MOT20", {4: 2080, 6: 1008, 7: 585, 8: 806}),
    ),
)  # fmt: skip


def sequence_names() -> set[str]:
    """Return the names of all sequences of the benchmarks; those of MOT17 also without the public detector.

    Examples
    --------
    >>> {"MOT17-09-SDP", "MOT17-09", "PETS09-S2L1"} <= sequence_names()
    True
    """
    names = {name for benchmark in BENCHMARKS for name in benchmark.lengths}
    return names | {name.removesuffix(f"-{copy}") for name in names for copy in COPIES}
