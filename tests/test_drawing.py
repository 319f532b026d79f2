"""Drawing, checked pixel by pixel where it can be, and against coordinates worked out by hand."""

from __future__ import annotations

import colorsys

import numpy as np
import pandas as pd
import pytest
from videos import picture

import fairmot_lab as fl
from fairmot_lab import drawing
from fairmot_lab.drawing import (
    PALETTE,
    FrameAnnotator,
    FrameRows,
    Trails,
    draw_heatmap,
    draw_label,
    draw_tracks,
    id_color,
    render_frames,
    side_by_side,
)
from fairmot_lab.sources.base import Frame


def rows(*boxes: tuple) -> pd.DataFrame:
    return pd.DataFrame(boxes, columns=["id", "x", "y", "w", "h", "score"])


GREY = np.full((200, 300, 3), 128, np.uint8)


def test_colours_are_stable_and_differ() -> None:
    assert id_color(3) == id_color(3 + len(PALETTE))
    assert len({id_color(number) for number in range(len(PALETTE))}) == len(PALETTE)
    assert id_color(0) == (0x00, 0x9F, 0xE6)  # orange of Okabe and Ito, blue first


@pytest.mark.parametrize(
    "matrix",
    [
        # Brettel-like simulations on linear RGB (Vienot, Brettel and Mollon, 1999): protanopia, deuteranopia
        [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    ],
)
def test_neighbouring_ids_can_be_told_apart_with_colour_blindness(matrix: list) -> None:
    def seen(number: int) -> np.ndarray:
        rgb = np.array(id_color(number)[::-1]) / 255
        return np.clip(np.array(matrix) @ rgb**2.2, 0, 1) ** (1 / 2.2)

    for number in range(2 * len(PALETTE)):
        assert np.linalg.norm(seen(number) - seen(number + 1)) > 0.15


def test_box_lies_on_its_coordinates_and_the_image_is_untouched() -> None:
    image = GREY.copy()
    drawn = draw_tracks(image, rows((1, 100, 60, 50, 80, 0.9)), scores=False)
    assert (image == 128).all()
    colour = np.array(id_color(1))
    for x, y in ((125, 140), (100, 100), (150, 100)):  # lower, left and right edge
        assert (drawn[y, x] == colour).all(), (x, y)
    assert (drawn[100, 125] == 128).all()  # nothing inside
    assert (drawn[170:, :] == 128).all()


def test_draw_threshold_acts_on_single_boxes() -> None:
    table = rows((1, 20, 60, 40, 80, 0.3), (2, 200, 60, 40, 80, 0.7))
    drawn = draw_tracks(GREY, table, draw_threshold=0.5)
    assert (drawn[:, :100] == 128).all()
    assert (drawn[:, 150:] != 128).any()


def test_boxes_outside_the_image_and_no_boxes() -> None:
    far = draw_tracks(GREY, rows((1, -1e7, -1e7, 10, 10, 1.0), (2, 290, 190, 400, 1e9, 1.0)))
    assert far.shape == GREY.shape
    assert (draw_tracks(GREY, rows()) == 128).all()


def test_label_stays_inside_the_image() -> None:
    for corner in ((-50, -50), (295, 5), (295, 198)):
        canvas = np.zeros((200, 300, 3), np.uint8)
        draw_label(canvas, "123 0.45", corner, (255, 255, 255), above=True)
        painted = canvas.any(axis=2)
        rows_, columns = np.flatnonzero(painted.any(axis=1)), np.flatnonzero(painted.any(axis=0))
        assert len(columns) > 30
        assert len(rows_) > 8


def test_trails_follow_the_feet_and_forget() -> None:
    trails = Trails(3)
    for frame in range(1, 6):
        trails.add(frame, rows((7, 10 * frame, 20, 10, 30, 1.0)))
    assert trails.points(7).tolist() == [[35, 50], [45, 50], [55, 50]]  # frames 3 to 5
    for frame in range(6, 9):
        trails.add(frame, rows())
    assert len(trails.points(7)) == 0
    assert trails._points == {}


def test_heatmap_lies_where_the_letterbox_says() -> None:
    """One hot cell of an input with borders; its place in the image is worked out by hand."""
    image = np.full((216, 384, 3), 100, np.uint8)
    box = fl.Letterbox.fit((384, 216), (192, 128))  # scale 1/2, 10 rows of border above
    heatmap = np.zeros((32, 48), np.float32)
    heatmap[12, 20] = 1.0  # centre of the cell in the input: x = 20.5 * 4 = 82, y = 12.5 * 4 = 50
    drawn = draw_heatmap(image, heatmap, box)
    changed = np.abs(drawn.astype(int) - image).sum(axis=2).astype(float)
    ys, xs = np.nonzero(changed)
    weight = changed[ys, xs]
    assert (xs * weight).sum() / weight.sum() + 0.5 == pytest.approx(82 * 2, abs=1.0)
    assert (ys * weight).sum() / weight.sum() + 0.5 == pytest.approx((50 - 10) * 2, abs=1.0)
    strongest = drawn[np.unravel_index(changed.argmax(), changed.shape)] / 255
    assert colorsys.rgb_to_hsv(*strongest[::-1])[2] > 0.7  # bright, on any ground
    assert (drawn[:, :100] == 100).all()


def test_side_by_side_keeps_both_pictures() -> None:
    both = side_by_side(picture(5), picture(9), ("", ""))
    assert both.shape == (48, 128, 3)
    assert (both[30:, :60] == picture(5)[30:, :60]).all()
    assert (both[30:, 68:] == picture(9)[30:, 4:]).all()
    wide = np.zeros((1080, 2560, 3), np.uint8)
    assert side_by_side(wide, wide).shape == (864, 4096, 3)


def test_overlay_draws_heatmap_only_when_asked() -> None:
    detections = fl.FrameDetections(
        1,
        np.zeros((0, 4)),
        np.zeros(0),
        heatmap=np.ones((12, 16), np.float32),
        letterbox=fl.Letterbox.fit((64, 48), (64, 48)),
    )
    frame = Frame(1, picture(1), 0.0)
    assert (FrameAnnotator().draw(frame, rows(), detections) == frame.image).all()
    assert (FrameAnnotator(heatmap=True).draw(frame, rows(), detections) != frame.image).any()


def test_frame_rows_finds_each_frame() -> None:
    table = pd.DataFrame({"frame": [3, 1, 3], "id": [1, 2, 3]})
    found = FrameRows(table)
    assert found.at(3)["id"].tolist() == [1, 3]
    assert found.at(1)["id"].tolist() == [2]
    assert len(found.at(2)) == 0


def test_render_frames_of_a_run_and_the_ground_truth() -> None:
    source = fl.open_source([picture(number) for number in range(1, 5)])
    table = pd.DataFrame({"frame": [2], "id": [1], "x": [10.0], "y": [10.0], "w": [20.0], "h": [30.0]})
    drawn = list(render_frames(source, {"run": table, "ground truth": table.assign(id=2)}, first=2, last=3))
    assert [frame.number for frame, _ in drawn] == [2, 3]
    assert {image.shape for _, image in drawn} == {(48, 128, 3)}
    assert (drawn[0][1][30, 10] == id_color(1)).all()
    assert (drawn[0][1][30, 64 + 10] == id_color(2)).all()
    with pytest.raises(ValueError, match="One or two tables"):
        next(render_frames(source, {}))


def test_labels_of_a_crowd_do_not_cover_each_other():
    """Ten people in a row, closer than their labels are wide: where each label is, its colour is found."""
    table = rows(*((i + 1, 60 + 14 * i, 100, 30, 70, 0.9) for i in range(10)))
    sizes = np.full((10, 2), (46, 12))
    places = drawing._apart(table[["x", "y"]].to_numpy(int), sizes, (300, 200))
    for i in range(10):
        for j in range(i):
            assert (np.abs(places[i] - places[j]) >= sizes[0]).any(), (i, j)
    assert (places >= 0).all()
    assert (places + sizes <= (300, 200)).all()
    alone = drawing._apart(np.array([[60, 100]]), sizes[:1], (300, 200))
    assert alone.tolist() == [[60, 88]], "on the upper edge of the box"
    assert not np.array_equal(draw_tracks(GREY, table), GREY)


def test_boxes_without_a_known_score_are_drawn():
    tracks = fl.example().tracks.query("frame == 5").assign(score=np.nan)
    image = fl.example().source.image(5)
    assert (draw_tracks(image, tracks) != image).any()
