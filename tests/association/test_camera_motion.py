"""Camera motion: estimates against warps that are known, the kept file, and what trackers make of it."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from golden_scenes import random_scenes

from fairmot_lab.association import (
    get_tracker,
    kalman,
    kalman_xyah,
    trace,
    track_detections,
    trackers,
)
from fairmot_lab.association.camera_motion import METHODS, MotionEstimator, camera_motion
from fairmot_lab.data import FrameDetections
from fairmot_lab.detection.detections import Detections
from fairmot_lab.errors import ConfigError, FairMOTLabWarning, SourceError, TrackingError

SIZE = 640, 360


def wallpaper(seed=0, size=(900, 600)):
    """A picture full of blobs and edges."""
    random = np.random.default_rng(seed)
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    for _ in range(500):
        x, y = int(random.integers(0, size[0])), int(random.integers(0, size[1]))
        w, h = random.integers(6, 60, 2)
        cv2.rectangle(picture, (x, y), (x + int(w), y + int(h)), random.integers(0, 255, 3).tolist(), -1)
    return cv2.GaussianBlur(picture, (3, 3), 0)


def moving(frames=6, shift=(7.0, -4.0), angle=0.004, scale=1.003):
    """Pictures of a wallpaper seen by a moving camera, and the motion from each to the next."""
    step = np.eye(3)
    step[:2, :2] = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    step[:2, 2] = shift
    place = np.eye(3)
    place[:2, 2] = -130, -120
    pictures = []
    for _ in range(frames):
        pictures.append(cv2.warpAffine(wallpaper(), place[:2], SIZE))
        place = step @ place
    return pictures, step[:2]


def corner_error(found, expected):
    corners = np.array([[0, SIZE[0], 0, SIZE[0]], [0, 0, SIZE[1], SIZE[1]], [1, 1, 1, 1]])
    return np.abs(np.asarray(found) @ corners - expected @ corners).max()


@pytest.mark.parametrize(("method", "tolerance"), [("flow", 0.5), ("orb", 1.5), ("ecc", 1.5)])
def test_known_motion(method, tolerance):
    pictures, step = moving()
    motion = camera_motion(pictures, method=method, progress=False)
    assert set(METHODS) >= {method}
    assert (motion[1] == np.eye(2, 3)).all()
    for frame in range(2, 7):
        assert corner_error(motion[frame], step) < tolerance
    assert (motion.table["after"][1:] < 0.5 * motion.table["before"][1:]).all()


def test_frames_are_scaled_down_and_the_matrix_up():
    pictures, step = moving()
    large = [cv2.resize(picture, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC) for picture in pictures[:2]]
    estimator = MotionEstimator(3 * SIZE[0], 3 * SIZE[1])
    estimator.update(large[0])
    matrix = np.reshape(estimator.update(large[1])[:6], (2, 3))
    # a point p of the small picture lies at 3 p + 1 in the large one (centres of pixels)
    expected = np.column_stack([step[:, :2], 3 * step[:, 2] + 1 - step[:, :2] @ [1, 1]])
    corners = 3 * np.array([[0, SIZE[0], 0, SIZE[0]], [0, 0, SIZE[1], SIZE[1]], [1 / 3] * 4])
    assert np.abs(matrix @ corners - expected @ corners).max() < 1.5


def test_what_moves_by_itself_is_left_out():
    still = wallpaper(1, SIZE)
    crowd = wallpaper(2, (400, 300))
    pictures, boxes = [], []
    for frame in range(4):
        picture, x = still.copy(), 100 + 12 * frame
        picture[30:330, x : x + 400] = crowd
        pictures.append(picture)
        boxes.append(np.array([[x - 12, 25, 424, 310]], np.float32))
    masked, plain = MotionEstimator(*SIZE), MotionEstimator(*SIZE)
    for picture, box in zip(pictures, boxes, strict=True):
        found, without = masked.update(picture, box), plain.update(picture)
    assert corner_error(np.reshape(found[:6], (2, 3)), np.eye(2, 3)) < 0.2
    assert corner_error(np.reshape(without[:6], (2, 3)), np.eye(2, 3)) > 5


def test_nothing_to_follow_gives_no_motion():
    motion = camera_motion([np.zeros((120, 160, 3), np.uint8)] * 3, progress=False)
    assert all((motion[frame] == np.eye(2, 3)).all() for frame in motion)


def write(folder, pictures):
    folder.mkdir()
    for number, picture in enumerate(pictures, start=1):
        cv2.imwrite(str(folder / f"{number:06d}.png"), picture)
    return folder


def test_kept_and_resumed(tmp_path, monkeypatch):
    pictures, _ = moving()
    source = write(tmp_path / "images", pictures)
    once = camera_motion(source, folder=tmp_path / "once", progress=False)

    update, seen = MotionEstimator.update, []

    def breaks(self, image, boxes=None):
        seen.append(1)
        if len(seen) == 4:
            raise SourceError("the disk is gone")
        return update(self, image, boxes)

    monkeypatch.setattr(MotionEstimator, "update", breaks)
    with pytest.raises(SourceError, match="gone"):
        camera_motion(source, folder=tmp_path / "kept", progress=False)
    resumed = camera_motion(source, folder=tmp_path / "kept", progress=False)
    assert len(seen) == 4 + 4, "frames 3 to 6: the third starts the comparison again"
    assert resumed.path.read_bytes() == once.path.read_bytes()
    assert resumed.digest == once.digest
    again = camera_motion(source, folder=tmp_path / "kept", progress=False)
    assert len(seen) == 8, "read, not estimated again"
    assert again.table.equals(resumed.table)
    other = camera_motion(source, folder=tmp_path / "kept", method="orb", progress=False)
    assert other.path != again.path
    assert sorted(tmp_path.joinpath("kept").iterdir()) == sorted([other.path, again.path])


def test_a_damaged_file_is_made_again(tmp_path):
    pictures, _ = moving(4)
    source = write(tmp_path / "images", pictures)
    once = camera_motion(source, folder=tmp_path, progress=False)
    text = once.path.read_text()
    for damaged in ("", "nonsense\n1,2\n", text[:-5], text.replace("\n3,", "\nthree,"), text.splitlines()[0] + "\n"):
        once.path.write_text(damaged)
        assert camera_motion(source, folder=tmp_path, progress=False).table.equals(once.table)
        assert once.path.read_text() == text


def test_other_boxes_are_another_result(tmp_path):
    pictures, _ = moving(4)

    def boxes(x, frames=(1, 2, 3, 4)):
        box, score = np.array([[x, 10.0, 40, 60]]), np.array([0.9])
        return Detections.from_frames([FrameDetections(frame, box, score) for frame in frames], name="boxes")

    one = camera_motion(pictures, boxes(10), folder=tmp_path, progress=False)
    assert camera_motion(pictures, boxes(10), folder=tmp_path, progress=False).path == one.path
    assert camera_motion(pictures, boxes(90), folder=tmp_path, progress=False).path != one.path
    gappy = camera_motion(pictures, boxes(10, (1, 2, 4)), folder=tmp_path, progress=False)
    assert len(gappy) == 4


def test_several_sequences_at_once(tmp_path):
    pictures, _ = moving(3)
    folders = [write(tmp_path / name, pictures) for name in ("a", "b")]
    (tmp_path / "c").mkdir()  # without images
    with pytest.warns(FairMOTLabWarning, match="1 of 3 sequences failed and are left out. c: "):
        found = camera_motion([*folders, tmp_path / "c"], folder=tmp_path / "kept", progress=False)
    assert list(found) == ["a", "b"]
    assert found["a"].digest == found["b"].digest == camera_motion(folders[0], progress=False).digest
    with pytest.raises(ConfigError, match="2 sequences need their detections as a dict by name"):
        camera_motion(folders, object())


def test_mistakes_are_told():
    pictures, _ = moving(2)
    with pytest.raises(ConfigError, match="no method 'optical' for camera motion; there are flow, orb, ecc"):
        camera_motion(pictures, method="optical")


def test_detections_of_another_sequence(real_data):
    from fairmot_lab.detection.cache import open_detections

    pictures, _ = moving(2)
    with pytest.raises(TrackingError, match="frames of 1920x1080"):
        camera_motion(pictures, open_detections(real_data / "MOT17" / "train" / "MOT17-09-SDP"))


SHAKING = random_scenes()["shaking"]


@pytest.fixture(params=[name for name, cls in trackers().items() if cls.uses_camera_motion])
def able(request):
    return request.param


def ids(name, warps, scene=SHAKING):
    tracker, rows = get_tracker(name), []
    for i in range(len(scene.boxes)):
        frame = SimpleNamespace(
            frame=i + 1, boxes=scene.boxes[i], scores=scene.scores[i], embeddings=scene.embeddings[i]
        )
        rows.append(tracker.update(frame, warps[i]).ids.tolist())
    return rows


def test_a_camera_that_stands_still_changes_nothing(able):
    nothing = [None] * len(SHAKING.boxes)
    assert ids(able, nothing) == ids(able, [np.eye(2, 3)] * len(SHAKING.boxes))


def test_fewer_ids_on_a_camera_that_shakes(able):
    with_motion = {one for frame in ids(able, SHAKING.warps) for one in frame}
    without = {one for frame in ids(able, [None] * len(SHAKING.warps)) for one in frame}
    assert len(with_motion) < len(without)


def test_jde_moves_states_as_the_double_precision_filter_does():
    random = np.random.default_rng(0)
    boxes = random.uniform(50, 300, (9, 4)).astype(np.float32)
    matrix = np.array([[0.98, -0.05, 20], [0.05, 0.98, -7.0]])
    slots, results = np.arange(9), []
    for module, kind in ((kalman, np.float32), (kalman_xyah, np.float64)):
        motion = np.zeros((9, module.MOTION_SIZE), kind)
        _, measurements = module.measure(boxes)
        module.initiate(motion, slots, measurements, slots)
        for _ in range(3):
            module.predict(motion, slots, 9)
            module.warp(motion, slots, matrix)
            module.update(motion, slots, measurements, slots)
        results.append(motion[:, :8])
    np.testing.assert_allclose(*results, atol=2e-3)


def test_motion_in_frames_without_detections_counts():
    boxes = np.array([[100, 100, 40, 100], [400, 100, 40, 100]], np.float32)
    score = np.float32([0.9])
    arrays = Detections.from_frames([FrameDetections(1, boxes[:1], score), FrameDetections(4, boxes[1:], score)])
    shift = {frame: np.array([[1.0, 0, 100], [0, 1, 0]]) for frame in (2, 3, 4)}
    assert track_detections(arrays, get_tracker("bytetrack"), camera_motion=shift)["id"].tolist() == [1, 1]
    assert track_detections(arrays, get_tracker("bytetrack"))["id"].tolist() == [1]


def test_detections_carry_it_to_all_that_tracks_them():
    boxes = np.array([[100, 100, 40, 100], [400, 100, 40, 100]], np.float32)
    frames = [FrameDetections(n, boxes[n - 1 : n], np.float32([0.9])) for n in (1, 2)]
    detections = Detections.from_frames(frames, name="jump")
    assert track_detections(detections, get_tracker("bytetrack"))["id"].tolist() == [1]
    detections.camera_motion = {2: np.array([[1.0, 0, 300], [0, 1, 0]])}
    for tracker, ids in (("bytetrack", [1, 1]), ("botsort", [1, 1]), ("ocsort", [1, 2])):
        assert track_detections(detections, get_tracker(tracker))["id"].tolist() == ids
    assert len(trace(detections, get_tracker("bytetrack"))[2].tracks) == 1


def test_a_tracker_that_cannot_use_it_says_so():
    with pytest.raises(TrackingError, match="ocsort does not use camera motion"):
        get_tracker("ocsort").update(SimpleNamespace(frame=1, boxes=[[1, 1, 5, 9]], scores=[0.9]), np.eye(2, 3))


def test_motion_of_several_sequences_needs_this_one():
    box, score = np.array([[100.0, 100, 40, 100]]), np.array([0.9])
    given = Detections.from_frames([FrameDetections(1, box, score), FrameDetections(2, box + 50, score)], name="a")
    shift = {2: np.array([[1.0, 0, 50], [0, 1, 50]])}
    named = track_detections(given, get_tracker("botsort"), camera_motion={"a": shift, "b": {}})
    assert named["id"].tolist() == track_detections(given, get_tracker("botsort"), camera_motion=shift)["id"].tolist()
    with pytest.raises(ConfigError, match="camera_motion is of b, and the detections are of a"):
        track_detections(given, get_tracker("botsort"), camera_motion={"b": shift})
    with pytest.raises(TrackingError, match="Frame 2 has a camera motion that is not finite"):
        track_detections(given, get_tracker("botsort"), camera_motion={2: np.full((2, 3), np.nan)})
