"""Draw docs/images/switch-kinds.svg: the kinds of ID switch, from scenes that are evaluated to be sure.

python scripts/draw_switch_kinds.py
"""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import pandas as pd

import fairmot_lab as fl
from fairmot_lab.evaluation.switches import KINDS

TARGET = Path(__file__).resolve().parents[1] / "docs" / "images" / "switch-kinds.svg"
COLOURS = {7: "#0072B2", 9: "#E69F00", 12: "#009E73"}
AT = {"A": 100.0, "B": 600.0}
# per kind: who carries which id in which frames (track id, person, first and last frame); person A switches in frame 9
SCENES = {
    "new id": [(7, "A", 1, 8), (12, "A", 9, 20), (9, "B", 1, 20)],
    "takeover": [(7, "A", 1, 8), (9, "B", 1, 6), (9, "A", 9, 20), (12, "B", 13, 20)],
    "lost to another person": [(7, "A", 1, 8), (7, "B", 9, 20), (12, "A", 9, 20)],
    "swap": [(7, "A", 1, 8), (9, "B", 1, 8), (9, "A", 9, 20), (7, "B", 9, 20)],
    "back to a known id": [(7, "A", 1, 5), (9, "A", 6, 8), (7, "A", 9, 20), (12, "B", 1, 20)],
}
GAP = [(7, "A", 1, 6), (12, "A", 13, 20)]


def boxes(lives: list[tuple[int, str, int, int]]) -> pd.DataFrame:
    """A table of boxes where the people stand."""
    rows = [(frame, track, AT[person]) for track, person, first, last in lives for frame in range(first, last + 1)]
    return pd.DataFrame(rows, columns=["frame", "id", "x"]).assign(y=50.0, w=40.0, h=100.0)


def kind_in_frame(lives: list[tuple[int, str, int, int]], frame: int) -> str:
    """The kind that `evaluate` gives person A's switch in a frame."""
    truth = boxes([(1, "A", 1, 20), (2, "B", 1, 20)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = fl.evaluate(boxes(lives), truth).switches
    return table[(table["gt_id"] == 1) & (table["frame"] == frame)]["kind"].item()


def draw(axes, lives: list[tuple[int, str, int, int]], title: str, note: str) -> None:
    """Two lanes, one per person; a bar is the time for which the person carries an id."""
    for track, person, first, last in lives:
        lane = {"A": 1, "B": 0}[person]
        axes.barh(lane, last - first + 1, left=first - 0.5, height=0.5, color=COLOURS[track], edgecolor="white")
        axes.text(first, lane, f"id {track}", va="center", ha="left", color="white", fontsize=8, weight="bold")
    axes.set(xlim=(0.5, 20.5), ylim=(-0.5, 1.65), yticks=[0, 1], yticklabels=["person B", "person A"], xticks=[])
    axes.set_title(title, loc="left", fontsize=10, weight="bold")
    axes.text(20.4, 1.42, note, ha="right", fontsize=8, color="#444444")
    axes.tick_params(length=0, labelsize=8)
    for side in axes.spines.values():
        side.set_visible(False)


def main() -> None:
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "switch kinds", "font.family": "sans-serif"})
    figure, rows = plt.subplots(6, 1, figsize=(6.4, 7.2))
    for axes, (kind, lives) in zip(rows, SCENES.items(), strict=False):
        found = kind_in_frame(lives, 9)
        assert found == kind, f"the scene for {kind!r} is a {found!r}"
        draw(axes, lives, kind, KINDS[kind])
        axes.annotate("", (8.5, 1.3), (8.5, 1.62), arrowprops={"arrowstyle": "-|>", "color": "black"})
    axes = rows[-1]
    draw(axes, GAP, "gap and missed", "gap 7, of which missed 4")
    axes.barh(1, 4, left=6.5, height=0.5, color="#DDDDDD")
    axes.text(8.5, 1, "missed", ha="center", va="center", fontsize=8, color="#444444")
    axes.text(11.5, 1, "not there", ha="center", va="center", fontsize=7, color="#444444")
    axes.annotate("", (12.5, 1.3), (12.5, 1.62), arrowprops={"arrowstyle": "-|>", "color": "black"})
    axes.set(yticks=[1], yticklabels=["person A"])
    axes.set_xlabel("time (frames)  →", fontsize=8, loc="right")
    figure.tight_layout()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(TARGET, metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    main()
