"""Sources: what every medium gives, and what each fault gets. Pictures show their number, so frames are told apart."""

from __future__ import annotations

import io
import itertools
import os
import pickle
import threading
import time
import warnings
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, features
from videos import damage, number_in, picture, trim, turn, write_sound, write_video

import fairmot_lab as fl
from fairmot_lab._files import natural_order
from fairmot_lab.drawing import render_video
from fairmot_lab.errors import FairMOTLabWarning, MotFileError, SourceError
from fairmot_lab.sources import live
from fairmot_lab.sources.images import read_image
from fairmot_lab.sources.many import several
from fairmot_lab.sources.video import VideoSource


def numbers(source: fl.Source, *span: int) -> list[int]:
    return [number_in(frame.image) for frame in source.frames(*span)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve JPEGs whose names sort wrongly as text."""
    folder = tmp_path / "walk"
    folder.mkdir()
    for number in range(1, 13):
        cv2.imwrite(str(folder / f"img{number}.jpg"), picture(number))
    (folder / "Thumbs.db").write_bytes(b"not an image")
    return folder


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """A MOTChallenge sequence of five frames with ground truth and detections."""
    folder = tmp_path / "TEST-01"
    for part in ("img1", "gt", "det"):
        (folder / part).mkdir(parents=True)
    for number in range(1, 6):
        cv2.imwrite(str(folder / "img1" / f"{number:06d}.jpg"), picture(number))
    (folder / "seqinfo.ini").write_text(
        "[Sequence]\nname=TEST-01\nimDir=img1\nframeRate=25\nseqLength=5\nimWidth=64\nimHeight=48\nimExt=.jpg\n"
    )
    (folder / "gt" / "gt.txt").write_text("1,7,10,10,5,10,1,1,1\n2,7,11,10,5,10,1,1,0.5\n")
    (folder / "det" / "det.txt").write_text("1,-1,10,10,5,10,0.9\n")
    return folder


# -- images and sequences -------------------------------------------------------------------------------------------


def test_folder_is_read_in_natural_order(folder: Path) -> None:
    source = fl.open_source(folder)
    assert (source.kind, source.name, len(source)) == ("images", "walk", 12)
    assert (source.width, source.height, source.frame_rate) == (64, 48, 30.0)
    assert numbers(source) == list(range(1, 13))
    assert numbers(source, 9, 11) == [9, 10, 11]
    assert [frame.time for frame in source.frames(1, 3)] == pytest.approx([0, 1 / 30, 2 / 30])
    assert number_in(source.image(10)) == 10


@given(st.lists(st.integers(0, 10**6), min_size=2, unique=True))
def test_natural_order_is_that_of_numbers(values: list[int]) -> None:
    names = natural_order(Path(f"frame_{value}.png") for value in values)
    assert names == [Path(f"frame_{value}.png") for value in sorted(values)]


@given(st.sampled_from([0.04, 0.05, 0.25, 1 / 30, 1 / 3]), st.integers(5, 60))
def test_names_that_are_seconds_are_in_the_order_of_time(step: float, count: int) -> None:
    times = [float(f"{step * number:.12g}") for number in range(count)]
    assert natural_order(Path(f"cam_{time}.png") for time in sorted(times, key=str)) == [
        Path(f"cam_{time}.png") for time in times
    ]


def test_sequence_folder(sequence: Path) -> None:
    source = fl.open_source(sequence)
    assert (source.kind, source.name, len(source), source.frame_rate) == ("sequence", "TEST-01", 5, 25.0)
    assert numbers(source) == [1, 2, 3, 4, 5]
    assert source.has_ground_truth
    assert source.has_detections
    truth = source.ground_truth
    assert truth[["frame", "id", "x", "w"]].values.tolist() == [[1, 7, 10, 5], [2, 7, 11, 5]]
    expected = {"sequence": "TEST-01", "length": 5, "frame_rate": 25.0, "width": 64, "height": 48}
    assert expected.items() <= truth.attrs.items()
    assert len(source.detections) == 1


def test_sequence_without_its_images_still_gives_ground_truth(sequence: Path) -> None:
    for image in (sequence / "img1").iterdir():
        image.unlink()
    source = fl.open_source(sequence)
    assert (len(source), len(source.ground_truth), source.width) == (5, 2, 64)
    with pytest.raises(SourceError, match="img1 has no images"):
        next(iter(source))


def test_sequence_faults_name_file_and_value(sequence: Path) -> None:
    (sequence / "gt" / "gt.txt").unlink()
    with pytest.raises(SourceError, match=r"gt\.txt is missing"):
        _ = fl.open_source(sequence).ground_truth
    (sequence / "img1" / "000005.jpg").unlink()
    with pytest.raises(SourceError, match=r"seqLength=5, but .* holds 4 images \(000005.jpg is the first"):
        fl.open_source(sequence)
    (sequence / "seqinfo.ini").unlink()
    with pytest.raises(SourceError, match=r"seqinfo\.ini is missing"):
        fl.open_source(sequence)
    with pytest.raises(SourceError, match="has no gt"):
        _ = fl.open_source(sequence / "img1").ground_truth


def test_sequence_whose_images_have_another_size(sequence: Path) -> None:
    for number in range(1, 6):
        cv2.imwrite(str(sequence / "img1" / f"{number:06d}.jpg"), picture(number, 128, 96))
    with pytest.raises(SourceError, match=r"000001\.jpg is 128x96, but seqinfo\.ini gives imWidth=64"):
        fl.open_source(sequence)


def test_folder_of_sequences_is_no_source(sequence: Path) -> None:
    with pytest.raises(SourceError, match=r"holds 1 sequences; give one of them, such as .*TEST-01"):
        fl.open_source(sequence.parent)


def test_real_sequence(mot17_09: Path) -> None:
    source = fl.open_source(mot17_09)
    assert (len(source), source.width, source.height, source.frame_rate) == (525, 1920, 1080, 30.0)
    assert len(source.ground_truth) == sum(1 for _ in (mot17_09 / "gt" / "gt.txt").open())
    assert source.jpeg(17) == (mot17_09 / "img1" / "000017.jpg").read_bytes()
    assert np.array_equal(source.image(17), cv2.imread(str(mot17_09 / "img1" / "000017.jpg")))


@pytest.mark.parametrize("span", [(0, 3), (-1, 3), (5, 4), (10, 13), (13,)])
def test_frames_that_do_not_exist_are_refused(folder: Path, tmp_path: Path, span: tuple) -> None:
    """They were left out in silence: a video of frames 10 to 13 of 12 had three."""
    write_video(tmp_path / "walk.mp4", 12)
    images = [frame.image for frame in fl.open_source(folder)]
    for source in (fl.open_source(folder), fl.open_source(tmp_path / "walk.mp4"), fl.open_source(images)):
        asked = f"{source.name} has no frames? {span[0]}.*; its frames are 1 to 12"
        with pytest.raises(SourceError, match=asked):
            list(source.frames(*span))
        with pytest.raises(SourceError, match=asked):
            render_video(
                source, fl.example().tracks, tmp_path / "made.mp4", **dict(zip(("first", "last"), span, strict=False))
            )
    assert not (tmp_path / "made.mp4").exists()


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (np.full((4, 6), 200, np.uint8), 200),  # grey
        (np.full((4, 6), 200 * 256 + 17, np.uint16), 200),  # 16-bit grey
        (np.full((4, 6, 3), 200 * 256 + 17, np.uint16), 200),  # 16-bit colour
        (np.full((4, 6, 4), 200, np.uint8), 200),  # with transparency
    ],
)
def test_grey_and_16_bit_png(tmp_path: Path, made: np.ndarray, expected: int) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), made)
    source = fl.open_source(tmp_path)
    image = source.image(1)
    assert (image.shape, image.dtype) == ((4, 6, 3), np.uint8)
    assert (image == expected).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif"])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.97])
def test_image_cut_in_the_middle_of_a_folder_is_named(tmp_path: Path, suffix: str, kept: float) -> None:
    rng = np.random.default_rng(3)
    for number in range(1, 5):
        cv2.imwrite(str(tmp_path / f"{number}{suffix}"), rng.integers(0, 256, (48, 64, 3), np.uint8))
    victim = tmp_path / f"3{suffix}"
    victim.write_bytes(victim.read_bytes()[: int(kept * victim.stat().st_size)])
    source = fl.open_source(tmp_path)
    read = []
    with pytest.raises(SourceError, match=rf"{tmp_path}/3\{suffix} "):
        for frame in source:
            read.append(frame.number)
    assert read == [1, 2]


def test_jpeg_with_a_thumbnail_and_a_trailer(tmp_path: Path) -> None:
    """The thumbnail has an end marker of its own, and phones append data after the image: neither may mislead."""
    inner, outer = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (16, 12), "red").save(inner, "JPEG")
    Image.fromarray(picture(5)).save(outer, "JPEG")
    segment = b"\xff\xe2" + (len(inner.getvalue()) + 2).to_bytes(2, "big") + inner.getvalue()
    data = outer.getvalue()[:2] + segment + outer.getvalue()[2:]
    (tmp_path / "1.jpg").write_bytes(data + b"\0" * 100)
    assert number_in(read_image(tmp_path / "1.jpg")) == 5
    (tmp_path / "1.jpg").write_bytes(data[: len(segment) + len(outer.getvalue()) // 2])
    with pytest.raises(SourceError, match="cut short"):
        read_image(tmp_path / "1.jpg")


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {}),
        ("RGB", {"progressive": True, "subsampling": 0}),
        ("RGB", {"subsampling": 1, "quality": 30}),
        ("L", {}),
        ("CMYK", {}),
        ("RGB", {"orientation": 6}),
    ],
)
def test_jpeg_of_every_kind_gives_opencvs_pixels(mode: str, options: dict, tmp_path: Path, mot17_09: Path) -> None:
    image = Image.open(mot17_09 / "img1" / "000001.jpg").crop((600, 300, 901, 503)).convert(mode)
    exif = Image.Exif()
    if "orientation" in options:
        exif[0x0112] = options.pop("orientation")
        options["exif"] = exif
    image.save(tmp_path / "1.jpg", **options)
    ours = read_image(tmp_path / "1.jpg")
    assert np.array_equal(ours, cv2.imread(str(tmp_path / "1.jpg")))
    assert ours.shape == ((301, 203, 3) if "exif" in options else (203, 301, 3))


def test_damage_inside_a_jpeg(tmp_path: Path, mot17_09: Path) -> None:
    data = (mot17_09 / "img1" / "000001.jpg").read_bytes()
    (tmp_path / "short.jpg").write_bytes(data[: len(data) // 2] + b"\xff\xd9")  # the end marker is there
    with pytest.raises(SourceError, match=r"short\.jpg is damaged \(.*premature end"):
        read_image(tmp_path / "short.jpg")
    (tmp_path / "long.jpg").write_bytes(data[:-2] + b"\0" * 50 + data[-2:])
    with pytest.warns(fl.FairMOTLabWarning, match=r"long\.jpg may be damaged \(.*extraneous bytes"):
        image = read_image(tmp_path / "long.jpg")
    assert np.array_equal(image, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    (tmp_path / "not.jpg").write_bytes(b"\xff\xd8 not a picture \xff\xd9")
    with pytest.raises(SourceError, match=r"not\.jpg cannot be decoded"):
        read_image(tmp_path / "not.jpg")


def test_missing_image_and_text_that_poses_as_one(folder: Path) -> None:
    source = fl.open_source(folder)
    (folder / "img4.jpg").write_text("no image at all")
    with pytest.raises(SourceError, match=r"img4\.jpg cannot be decoded"):
        source.image(4)
    (folder / "img4.jpg").unlink()
    with pytest.raises(SourceError, match=r"img4\.jpg cannot be read \(No such file"):
        source.image(4)
    with pytest.raises(SourceError, match="no frame 13; its frames are 1 to 12"):
        source.image(13)


def test_jpeg_bytes(folder: Path, tmp_path: Path) -> None:
    source = fl.open_source(folder)
    assert source.jpeg(2) == (folder / "img2.jpg").read_bytes()
    assert source.jpeg(2, max_width=64) == (folder / "img2.jpg").read_bytes()
    small = cv2.imdecode(np.frombuffer(source.jpeg(2, max_width=32), np.uint8), cv2.IMREAD_COLOR)
    assert small.shape == (24, 32, 3)
    assert number_in(small) == 2
    arrays = fl.open_source([picture(9)])
    coded = cv2.imdecode(np.frombuffer(arrays.jpeg(1, quality=95), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(coded.astype(int) - picture(9)).mean() < 2


# -- which file is frame n ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "length", "last", "said"),
    [
        (
            [1, 3, 5, 7],
            4,
            7,
            "frames 1, 3, 5, 7 of 7 .seqLength=4.. Without an image: 2, 4, 6",
        ),
        ([1, 3, 5, 7, 9], 5, 9, "Without an image: 2, 4, 6, 8. Only every 2nd frame is there; trackers take"),
        ([3, 4, 5, 6, 7, 8], 6, 8, "Without an image: 1-2"),
        ([1, 2, 4, 5], 5, 5, "Without an image: 3"),
    ],
)
def test_number_of_the_file_is_the_frame(sequence: Path, present: list[int], length: int, last: int, said: str) -> None:
    for file in (sequence / "img1").iterdir():
        file.unlink()
    for number in present:
        cv2.imwrite(str(sequence / "img1" / f"cam2_{number:06d}.jpg"), picture(number))
    ini = sequence / "seqinfo.ini"
    ini.write_text(ini.read_text().replace("seqLength=5", f"seqLength={length}"))
    with pytest.warns(FairMOTLabWarning, match=said):
        source = fl.open_source(sequence)
    assert len(source) == last
    assert [(frame.number, number_in(frame.image), frame.time) for frame in source] == [
        (number, number, pytest.approx((number - 1) / 25)) for number in present
    ]
    assert number_in(source.image(present[-1])) == present[-1]
    missing = (set(range(1, last)) - set(present)).pop()
    with pytest.raises(SourceError, match=f"has no image for frame {missing}"):
        source.image(missing)
    with pytest.raises(SourceError, match="has no image"):
        source.jpeg(missing)


@pytest.mark.parametrize(
    ("present", "said"),
    [
        ([1, 2, 5, 6, 9], "numbers 1-2, 5-6, 9; they are counted as frames 1 to 5"),
        ([10, 12, 14, 16, 18], "counted as frames 1 to 5. Only every 2nd frame is there"),
        ([0, 1, 2, 3], None),
        ([7, 8, 9], None),
        ([120000, 120533, 131217], None),  # photos by the time of day
    ],
)
def test_missing_numbers_in_a_folder_of_images_are_said(tmp_path: Path, present: list[int], said: str | None) -> None:
    for number in present:
        cv2.imwrite(str(tmp_path / f"shot_{number}.png"), picture(number % 100))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        source = fl.open_source(tmp_path)
    assert numbers(source) == [number % 100 for number in present]
    assert [said in str(one.message) for one in caught] == ([True] if said else [])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (["cover"], "names of its 5 images are of 2 kinds, such as 1.png, cover.png"),
        ([f"{number}_mask" for number in range(1, 5)], "of 2 kinds, such as 1.png, 1_mask.png"),
        (["5"], None),
    ],
)
def test_images_that_may_be_no_frames_are_told(tmp_path: Path, other: list[str], said: str | None) -> None:
    for name in ["1", "2", "3", "4", *other]:
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture(1))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(fl.open_source(tmp_path)) == 4 + len(other)
    assert [said in str(one.message) for one in caught] == ([True] if said else [])


@pytest.mark.parametrize("rate", ["25", Fraction(25), np.float32(25)])
def test_a_frame_rate_is_any_number(rate: object) -> None:
    assert str(fl.open_source([picture(1)], frame_rate=rate)).endswith("25 frames/s>")
    with pytest.raises(SourceError, match="must be a positive number of frames per second, not 30 fps"):
        fl.open_source([picture(1)], frame_rate="30 fps")


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "2.jpg"):
        cv2.imwrite(str(tmp_path / name), picture(1))
    with pytest.raises(SourceError, match=r"holds 2\.\w+ and 2\.\w+, two images of one name; give"):
        fl.open_source(tmp_path)
    assert len(fl.open_source(str(tmp_path / "*.png"))) == 2


def test_sequence_counted_from_0(sequence: Path) -> None:
    for number in range(1, 6):
        (sequence / "img1" / f"{number:06d}.jpg").rename(sequence / "img1" / f"{number - 1:06d}.jpg")
    assert numbers(fl.open_source(sequence)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "names",
    [
        ["1699999999.05", "1699999999.1", "1699999999.125", "1699999999.2", "1699999999.9985", "1700000000.0"],
        ["v1.2", "v1.9", "v1.10", "v1.100"],
        ["v1.8", "v1.9", "v1.11", "v1.12"],
        ["0.25", "0.5", "0.75", "1.0"],
        ["0.04", "0.08", "0.1", "0.12"],
        ["shot", "shot (1)", "shot (2)", "shot (10)"],
        ["2", "10", "0100"],
        ["a1", "a02", "A3", "b1"],
    ],
)
def test_natural_order_of_names(tmp_path: Path, names: list[str]) -> None:
    for name in names[::-1]:
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture(1))
    assert [file.stem for file in fl.open_source(tmp_path).files] == names


def test_lists_patterns_and_pillow_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [folder / "img7.jpg", str(folder / "img2.jpg")]
    source = fl.open_source(chosen, frame_rate=5)
    assert (source.name, source.frame_rate, numbers(source)) == ("walk", 5, [7, 2])
    assert numbers(fl.open_source(str(folder / "img1*.jpg"))) == [1, 10, 11, 12]
    assert numbers(fl.open_source(folder / "*")) == list(range(1, 13))
    monkeypatch.chdir(folder)
    assert numbers(fl.open_source("img[23].jpg")) == [2, 3]
    assert numbers(fl.open_source((folder / "img3.jpg").as_uri())) == [3]
    images = [Image.open(file) for file in chosen]
    assert numbers(fl.open_source(images)) == numbers(fl.open_source(iter(images))) == [7, 2]
    assert numbers(fl.open_source(images[0])) == [7]
    assert len(fl.open_source(images).fingerprint()) == 64
    assert numbers(fl.open_source(folder.glob("img1*.jpg"))) == [1, 10, 11, 12]
    assert numbers(fl.open_source({str(folder / "img3.jpg"), str(folder / "img12.jpg")})) == [3, 12]


# -- several pages, deep values, orientation ------------------------------------------------------------------------


def pages(count: int = 6) -> list[Image.Image]:
    return [Image.fromarray(picture(number)[..., ::-1]) for number in range(1, count + 1)]


@pytest.mark.parametrize("suffix", ["tif", "png", "apng", "webp", "gif"])
def test_pages_of_a_file_are_frames(tmp_path: Path, suffix: str) -> None:
    options = {} if suffix == "tif" else {"duration": 50, "loop": 0}
    if suffix == "webp":
        options["lossless"] = True
    first, *others = pages()
    path = tmp_path / f"stack.{suffix}"
    first.save(path, save_all=True, append_images=others, **({"format": "PNG"} if suffix == "apng" else {}), **options)
    source = fl.open_source(path)
    assert (len(source), source.name, source.frame_rate) == (6, "stack", 30 if suffix == "tif" else 20)
    assert numbers(source) == [1, 2, 3, 4, 5, 6]
    assert [number_in(source.image(number)) for number in (6, 2, 3, 1)] == [6, 2, 3, 1]
    assert [frame.time for frame in source] == pytest.approx([k / source.frame_rate for k in range(6)])
    assert source.jpeg(3)[:2] == b"\xff\xd8"
    assert fl.open_source(path).fingerprint() == source.fingerprint()


def test_a_stack_in_a_folder(tmp_path: Path) -> None:
    first, *others = pages()
    first.save(tmp_path / "1.tif", save_all=True, append_images=others)
    assert len(fl.open_source(tmp_path)) == 6
    first.save(tmp_path / "2.tif")
    with pytest.warns(FairMOTLabWarning, match=r"1\.tif holds 6 pages"):
        assert len(fl.open_source(tmp_path)) == 2


def thermal(number: int, dtype: str) -> np.ndarray:
    """The picture as a thermal camera gives it: a small part of a wide range."""
    return (7000 + 6.0 * picture(number)[..., 0]).astype(dtype)


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [("png", "uint16"), ("tif", "uint16"), ("tif", "float32"), ("tif", "int32"), ("pgm", "uint16")],
)
def test_deep_images_are_scaled_by_the_range_of_the_sequence(tmp_path: Path, suffix: str, dtype: str) -> None:
    for number in range(1, 6):
        image = thermal(number, dtype)
        if suffix == "pgm" or dtype == "uint16":
            cv2.imwrite(str(tmp_path / f"{number}.{suffix}"), image)
        else:
            Image.fromarray(image).save(tmp_path / f"{number}.{suffix}")
    with pytest.warns(FairMOTLabWarning, match="values from 7000 to 8530 are shown as 0 to 255") as said:
        source = fl.open_source(tmp_path)
    assert numbers(source) == [1, 2, 3, 4, 5]
    assert len(said) == 1
    grey = source.image(2)[-1, 0]
    assert grey.tolist() == [int(90 * 6 * 256 / 1530)] * 3
    chosen = fl.open_source(tmp_path, value_range=(7000, 7000 + 6 * 256))
    assert np.abs(chosen.image(2).astype(int) - picture(2)).max() <= 1
    assert chosen.fingerprint() != source.fingerprint()


@pytest.mark.parametrize(
    ("dtype", "channels"), [("uint16", 1), ("uint16", 3), ("float32", 1), ("float32", 3), ("float64", 1)]
)
def test_deep_tiff_of_every_kind(tmp_path: Path, dtype: str, channels: int) -> None:
    grey = (picture(5)[..., 0] * 20.0).astype(dtype)
    uncompressed = [cv2.IMWRITE_TIFF_COMPRESSION, 1]
    cv2.imwrite(str(tmp_path / "a.tif"), grey if channels == 1 else np.dstack([grey] * 3), uncompressed)
    with pytest.warns(FairMOTLabWarning, match="are shown as 0 to 255"):
        source = fl.open_source(tmp_path / "a.tif")
    assert np.abs(source.image(1).astype(int) - picture(5)).max() <= 1


@pytest.mark.parametrize(("dtype", "channels"), [("uint16", 3), ("uint16", 4), ("float32", 3), ("float64", 1)], ids=str)
def test_deep_stacks_that_pillow_does_not_know(tmp_path: Path, dtype: str, channels: int) -> None:
    made = []
    for number in range(1, 5):
        grey = picture(number)[..., 0] * 20.0 + 100
        made.append(grey.astype(dtype) if channels == 1 else np.dstack([grey] * channels).astype(dtype))
    uncompressed = [cv2.IMWRITE_TIFF_COMPRESSION, 1]
    cv2.imwritemulti(str(tmp_path / "a.tif"), made, uncompressed)
    with pytest.warns(FairMOTLabWarning, match="values from 100 to 5200 are shown as 0 to 255") as said:
        source = fl.open_source(tmp_path / "a.tif")
    assert (len(source), len(said)) == (4, 1)
    assert numbers(source) == [1, 2, 3, 4]
    assert number_in(pickle.loads(pickle.dumps(source)).image(3)) == 3
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: int(0.6 * len(whole))])
    with pytest.raises(SourceError, match=r"cut short|cannot be decoded"):
        list(fl.open_source(tmp_path / "a.tif"))


@pytest.mark.parametrize("lenient", [False, True])  # ppdet tells Pillow to accept what is cut short
def test_stack_that_is_cut(lenient: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", lenient)
    first, *others = pages()
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    whole = (tmp_path / "a.tif").read_bytes()
    for share in (0.1, 0.3, 0.6, 0.95):
        (tmp_path / "a.tif").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(SourceError, match=r"cut short|cannot be decoded"):
            list(fl.open_source(tmp_path / "a.tif"))


def test_12_bits_in_16_and_dead_pixels(tmp_path: Path) -> None:
    """The darkest and brightest pixel of a camera can be broken; they do not make all others grey."""
    for number in (1, 2):
        image = np.tile(thermal(number, "uint16") - 6500, (8, 8))
        image[0, 0] = 65535
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    with pytest.warns(FairMOTLabWarning, match="values from 500 to 2030"):
        source = fl.open_source(tmp_path)
    assert (source.image(1).min(), source.image(1).max()) == (0, 255)


def test_deep_stack_and_not_a_number(tmp_path: Path) -> None:
    stack = [Image.fromarray(thermal(number, "float32")) for number in range(1, 5)]
    broken = thermal(5, "float32")
    broken[-1, -1] = np.nan
    stack[0].save(tmp_path / "a.tif", save_all=True, append_images=[*stack[1:], Image.fromarray(broken)])
    with pytest.warns(FairMOTLabWarning, match="32-bit floats; values from 7000 to 8530"):
        source = fl.open_source(tmp_path / "a.tif")
    assert numbers(source) == [1, 2, 3, 4, 5]
    assert source.image(5)[-1, -1].tolist() == [0, 0, 0]


def test_deep_pillow_images_share_one_range() -> None:
    images = [Image.fromarray(thermal(number, "uint16")) for number in (1, 2)]
    with pytest.warns(FairMOTLabWarning, match="values from 7000 to 8530"):
        source = fl.open_source(images)
    assert numbers(source) == [1, 2]
    assert (source.image(1)[-1] == source.image(2)[-1]).all()


def test_deep_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray16le"
        for number in range(1, 6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(thermal(number, "uint16"), format="gray16le")))
        container.mux(stream.encode())
    with pytest.warns(FairMOTLabWarning, match="7000 to 8530 are shown as 0 to 255"):
        source = fl.open_source(tmp_path / "a.mkv")
    assert numbers(source) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("wrong", [(5, 5), (9, 1), (0, float("inf")), "ab", 7, (1, 2, 3)])
def test_wrong_value_range(wrong: object) -> None:
    with pytest.raises(SourceError, match="value_range is"):
        fl.open_source([picture(1)], value_range=wrong)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_orientation_is_applied_to_every_kind_of_file(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.rot90(picture(5), {3: 2, 6: 1, 8: 3}[orientation])
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(np.ascontiguousarray(stored[..., ::-1])).save(tmp_path / f"1.{suffix}", exif=exif, **options)
    source = fl.open_source(tmp_path)
    assert (source.width, source.height) == (64, 48)
    assert number_in(source.image(1)) == 5
    shown = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(source.jpeg(1)))))[..., ::-1]  # as a browser does
    assert number_in(shown) == 5


def test_orientation_behind_long_segments_is_found(tmp_path: Path) -> None:
    """Editors put their own data before EXIF, which then begins beyond the first 64 KiB."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(np.rot90(picture(5))[..., ::-1])).save(buffer, "JPEG", exif=exif, quality=95)
    whole = buffer.getvalue()
    (tmp_path / "1.jpg").write_bytes(whole[:2] + (b"\xff\xed\xea\x62" + b"\0" * 60_000) * 2 + whole[2:])
    source = fl.open_source(tmp_path)
    assert (source.width, source.height) == (64, 48)
    assert number_in(source.image(1)) == 5


def pnm(kind: str, most: int, image: np.ndarray) -> bytes:
    """A portable pixmap, as its description has it: text, or bytes of 8 or 16 bits, high byte first."""
    values = np.round(image / 255 * most).astype(int)
    head = f"{kind}\n# c\n{image.shape[1]} {image.shape[0]}\n{most}\n".encode()
    if kind in ("P2", "P3"):
        return head + " ".join(map(str, values.reshape(-1))).encode()
    return head + values.astype(np.uint8 if most < 256 else ">u2").tobytes()


@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
@pytest.mark.parametrize("most", [15, 255, 1023, 65535])
def test_portable_pixmaps_are_as_bright_as_they_say(tmp_path: Path, kind: str, most: int) -> None:
    image = picture(5)[..., 0] if kind in ("P2", "P5") else picture(5)
    (tmp_path / "1.ppm").write_bytes(pnm(kind, most, image))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)
        assert np.abs(fl.open_source(tmp_path).image(1).astype(int) - picture(5)).max() <= 9


@pytest.mark.parametrize("format", ["GIF", "AVIF", "WEBP", "BMP", "TIFF", "PPM"])
def test_an_image_is_what_its_bytes_say(tmp_path: Path, format: str) -> None:
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    Image.fromarray(picture(5)).save(tmp_path / "1.jpg", format)
    assert number_in(fl.open_source(tmp_path).image(1)) == 5
    whole = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"cannot be decoded|cut short"):
        fl.open_source(tmp_path)


# -- videos ---------------------------------------------------------------------------------------------------------

CONTAINERS = {
    "h264 with reordered frames": ("a.mp4", {}),
    "fragmented": ("a.mp4", {"movflags": "frag_keyframe+empty_moov"}),
    "one keyframe": ("a.mp4", {"gop": 1000}),
    "reordered in AVI, which has no presentation stamps": ("a.avi", {}),
    "MPEG-4 in AVI": ("a.avi", {"codec": "mpeg4"}),
    "motion JPEG": ("a.avi", {"codec": "mjpeg", "pixels": "yuvj420p"}),
    "Matroska": ("a.mkv", {}),
    "transport stream, which seeks inexactly": ("a.ts", {}),
    "bare H.264 without any stamps": ("a.h264", {}),
    "WebM": ("a.webm", {"codec": "libvpx-vp9"}),
    "Flash": ("a.flv", {}),
    "HEVC in MP4": ("a.mp4", {"codec": "libx265"}),
    "HEVC in a transport stream": ("a.ts", {"codec": "libx265"}),
    "MPEG-4 in MP4": ("a.mp4", {"codec": "mpeg4"}),
    "VP9 in MP4": ("a.mp4", {"codec": "libvpx-vp9"}),
    "AV1": ("a.mkv", {"codec": "libsvtav1"}),
    "QuickTime": ("a.mov", {}),
    "odd size": ("a.mp4", {"size": (65, 49), "pixels": "yuv444p"}),
    "side data that PyAV does not know": ("a.mov", {"codec": "tiff", "pixels": "rgb24"}),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_video_frames_are_counted_and_found_exactly(tmp_path: Path, kind: str) -> None:
    name, options = CONTAINERS[kind]
    source = fl.open_source(write_video(tmp_path / name, 30, **options))
    assert len(source) == 30
    assert (source.width, source.height) == options.get("size", (64, 48))
    assert numbers(source) == list(range(1, 31))
    assert numbers(source, 8, 12) == [8, 9, 10, 11, 12]
    order = [30, 1, 17, 16, 15, 14, 18, 29, 2, 30]
    assert [number_in(source.image(number)) for number in order] == order


def test_random_access_decodes_no_more_than_a_group_of_pictures(tmp_path: Path) -> None:
    source = fl.open_source(write_video(tmp_path / "a.mp4", 60, gop=6))
    assert isinstance(source, VideoSource)
    source.image(45)
    assert set(source._cache) <= set(range(43, 46))


def test_video_time_stamps(tmp_path: Path) -> None:
    stamps = [0, 100, 150, 400, 430, 1000]
    source = fl.open_source(write_video(tmp_path / "a.mp4", 6, stamps=stamps))
    assert [frame.time for frame in source] == pytest.approx([stamp / 1000 for stamp in stamps])
    as_told = fl.open_source(tmp_path / "a.mp4", frame_rate=5)
    assert [frame.time for frame in as_told] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


def stamped(stamps: list[int], path: Path) -> fl.Source:
    return fl.open_source(write_video(path, len(stamps), stamps=stamps))


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libx265", "libvpx-vp9", "libsvtav1"])
def test_edit_list_hides_frames(tmp_path: Path, name: str, codec: str) -> None:
    """The frames are those that FFmpeg and OpenCV give, with random access too.

    FFmpeg before 8 also decodes the hidden frames of AV1, at times before 0; OpenCV's own FFmpeg cannot decode AV1.
    """
    if codec in ("libvpx-vp9", "libsvtav1") and name == "a.mov":
        pytest.skip("QuickTime holds neither VP9 nor AV1")
    path = trim(write_video(tmp_path / "whole.mp4", 30, gop=20, codec=codec), tmp_path / name, 0.75)
    source = fl.open_source(path)
    with av.open(str(path)) as container:
        expected = [number_in(frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]
    assert expected == list(range(9, 31))
    assert numbers(source) == expected
    assert [number_in(source.image(number)) for number in (22, 1, 13, 5)] == [30, 9, 21, 13]
    assert source.times()[-1] == pytest.approx(2.1)
    capture = cv2.VideoCapture(str(path))
    assert sum(1 for _ in iter(lambda: capture.read()[0], False)) == (0 if codec == "libsvtav1" else len(source))
    capture.release()


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_lost_packets_of_a_transport_stream_do_not_shift_numbers(tmp_path: Path, codec: str) -> None:
    data = write_video(tmp_path / "a.ts", 40, size=(320, 240), codec=codec, gop=10).read_bytes()
    packets = [data[start : start + 188] for start in range(0, len(data), 188)]
    video = [k for k, packet in enumerate(packets) if packet[1] & 0x1F == 1 and packet[2] == 0 and not packet[1] & 0x40]
    lost = {video[len(video) // 3], video[2 * len(video) // 3]}  # PID 256, not the first of a frame
    (tmp_path / "a.ts").write_bytes(b"".join(packet for k, packet in enumerate(packets) if k not in lost))
    with pytest.warns(FairMOTLabWarning, match=r"of 40 frames [0-9]+ (are shown with|may show) damage \([0-9, -]+\)"):
        source = fl.open_source(tmp_path / "a.ts")
    read = numbers(source)
    assert len(source) == len(read) == 40
    assert sum(a == b for a, b in enumerate(read, 1)) >= 25  # the barcodes of the others are damaged


def test_clock_that_restarts_is_continued(tmp_path: Path) -> None:
    part = write_video(tmp_path / "a.ts", 20).read_bytes()
    (tmp_path / "two.ts").write_bytes(part + part)
    with pytest.warns(FairMOTLabWarning, match=r"clock jumps by -1\.9 s at frame 21; times continue"):
        source = fl.open_source(tmp_path / "two.ts")
    assert numbers(source) == [*range(1, 21), *range(1, 21)]
    assert [number_in(source.image(number)) for number in (30, 5, 25, 40)] == [10, 5, 5, 20]
    assert source.times() == pytest.approx(np.arange(40) / 10)


def test_clock_that_jumps_ahead_by_a_day(tmp_path: Path) -> None:
    stamps = [0, 100, 200, 300, 95_344_000, 95_344_100]
    with pytest.warns(FairMOTLabWarning, match=r"clock jumps by 95343\.7 s at frame 5"):
        source = stamped(stamps, tmp_path / "a.mkv")
    assert source.times() == pytest.approx(np.arange(6) / 10)
    pause = stamped([0, 100, 200, 60_000, 60_100], tmp_path / "b.mkv")  # a camera that waits for movement
    assert pause.times()[-1] == pytest.approx(60.1)


def test_measured_rate_outranks_an_absurd_header(tmp_path: Path) -> None:
    """As a browser's MediaRecorder writes it: the header says 1000 frames per second."""
    stamps = np.cumsum([0, 44, 39, 36, 31, 32, 25, 26, 25, 29, 43] * 4).tolist()
    path = write_video(tmp_path / "a.webm", len(stamps), codec="libvpx-vp9", rate=1000, stamps=stamps)
    source = fl.open_source(path)
    assert source.frame_rate == pytest.approx((len(stamps) - 1) * 1000 / stamps[-1])
    assert fl.open_source(path, frame_rate=25).frame_rate == 25


def test_repeated_frames_of_an_avi(tmp_path: Path) -> None:
    """Chunks without content mean that the frame before is shown again: no frame, and no damage."""
    stamps = [0, 100, 300, 500, 600, 900]
    path = write_video(tmp_path / "a.avi", 6, b_frames=0, stamps=stamps, codec="mpeg4", time_base=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = fl.open_source(path)
    assert numbers(source) == [1, 2, 3, 4, 5, 6]
    assert source.times() == pytest.approx(np.array(stamps) / 1000)


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 5, aspect=Fraction(64, 45))
    assert fl.open_source(path).pixel_aspect == Fraction(64, 45)
    assert fl.open_source(turn(path, 90)).pixel_aspect == Fraction(45, 64)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"x264": "interlaced=1", "size": (64, 64)}, "it is interlaced"),
        ({"x264": "transfer=smpte2084"}, r"it is HDR \(PQ\)"),
        ({"x264": "transfer=arib-std-b67"}, r"it is HDR \(HLG\)"),
    ],
)
def test_unusual_pictures_are_named(tmp_path: Path, options: dict, said: str) -> None:
    with pytest.warns(FairMOTLabWarning, match=said) as told:
        fl.open_source(write_video(tmp_path / "a.mp4", 5, **options))
    assert len(told) == 1


def test_a_path_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("10:30:05.mp4", "cam:1/clip.mp4", "rtsp:/clip.mp4", "file:a.mp4", "a b#c?d%20.mp4"):
        Path(place).parent.mkdir(exist_ok=True)
        write_video(tmp_path / place, 5)
        assert len(fl.open_source(place)) == len(fl.open_source(Path(place))) == 5
    with pytest.raises(SourceError, match=r"cannot be opened"):
        fl.open_source("http://127.0.0.1:9/clip.mp4", stall_seconds=1)


def test_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"clip\xff.mp4")
    write_video(tmp_path / "a.mp4", 5).rename(path)
    assert len(fl.open_source(path)) == 5


@pytest.mark.parametrize("at", [10, 60])
def test_video_that_shrinks_while_it_is_read(tmp_path: Path, at: int) -> None:
    """A fault that may be over at the next try must not pass for the end of the video."""
    path = write_video(tmp_path / "a.avi", 150, size=(640, 480), codec="mjpeg", pixels="yuvj420p")
    whole = path.read_bytes()
    read = []
    with pytest.raises(SourceError, match="changed while it was read"):
        for frame in fl.open_source(path):
            read.append(frame.number)
            if frame.number == at:
                path.write_bytes(whole[: len(whole) // 2])
    assert read == list(range(1, len(read) + 1))
    path.write_bytes(whole)
    assert len(numbers(fl.open_source(path))) == 150


def test_real_video(pets_video: Path) -> None:
    """Its 795 frames agree with the ground truth of PETS09-S2L1, which goes to frame 795."""
    source = fl.open_source(pets_video)
    assert (len(source), source.width, source.height, source.frame_rate) == (795, 768, 576, 10.0)
    capture = cv2.VideoCapture(str(pets_video))
    for frame in source.frames(1, 40):
        assert np.abs(capture.read()[1].astype(int) - frame.image).mean() < 1.5
    capture.release()


@pytest.mark.parametrize(("degrees", "back"), [(90, 1), (180, 2), (270, 3)])
def test_rotation_metadata_is_applied(tmp_path: Path, degrees: int, back: int) -> None:
    source = fl.open_source(turn(write_video(tmp_path / "a.mp4", 5), degrees))
    assert (source.width, source.height) == ((64, 48) if degrees == 180 else (48, 64))
    assert [number_in(np.rot90(frame.image, back)) for frame in source] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_mirrored_picture_is_shown_upright(tmp_path: Path, degrees: int) -> None:
    """Four of the eight orientations of a picture are mirrored: cameras that hang from a ceiling, selfies."""
    source = fl.open_source(turn(write_video(tmp_path / "a.mp4", 5), degrees, upside_down=True))
    shown = [np.rot90(frame.image, degrees // 90)[::-1] for frame in source]
    assert [number_in(image) for image in shown] == [1, 2, 3, 4, 5]


def test_of_two_videos_in_a_file_the_first_is_read_and_it_is_said(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        for size in (64, 128):
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = size, 48, "yuv420p"
        for stream in container.streams.video:
            for number in range(1, 6):
                frame = av.VideoFrame.from_ndarray(picture(number, stream.width, 48), format="bgr24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    with pytest.warns(FairMOTLabWarning, match=r"holds 2 videos, and the first is read.*-map 0:1"):
        source = fl.open_source(tmp_path / "a.mp4")
    assert (len(source), source.width) == (5, 64)


def test_a_palette_comes_once(tmp_path: Path) -> None:
    """Cameras of laboratories record 8-bit AVI; a decoder that starts in the middle has no palette, and shows black."""
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream = container.add_stream("rawvideo", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "pal8"
        greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, axis=1)
        for number in range(1, 7):
            frame = av.VideoFrame.from_ndarray((picture(number)[..., 0], greys), format="pal8")
            container.mux(stream.encode(frame))
    source = fl.open_source(tmp_path / "a.avi")
    assert [number_in(source.image(number)) for number in (6, 2, 5)] == [6, 2, 5]


def test_a_format_that_can_only_be_read_from_its_start(tmp_path: Path) -> None:
    """What a network camera sends over HTTP, saved."""
    jpegs = [cv2.imencode(".jpg", picture(number))[1].tobytes() for number in range(1, 7)]
    parts = [b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n" for jpeg in jpegs]
    (tmp_path / "a.mjpg").write_bytes(b"".join(parts))
    source = fl.open_source(tmp_path / "a.mjpg")
    assert numbers(source, 4) == [4, 5, 6]
    assert [number_in(source.image(number)) for number in (5, 2)] == [5, 2]


def test_the_header_gives_the_rate_where_all_time_stamps_are_one(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(1, 7):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture(number), format="bgr24")):
                packet.pts = packet.dts = 0
                container.mux(packet)
    source = fl.open_source(tmp_path / "a.mkv")
    assert source.frame_rate == 10
    assert source.times() == pytest.approx(np.arange(6) / 10)


def test_a_frame_of_a_cut_video_is_found_wherever_decoding_begins(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", 60, codec="libx265", b_frames=3, gop=6)
    whole = path.read_bytes()
    for share in np.linspace(0.5, 0.9, 9):
        path.write_bytes(whole[: int(share * len(whole))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FairMOTLabWarning)
            source = fl.open_source(path)
            last = list(source)[-1]
            assert np.array_equal(source.image(last.number), last.image)


@pytest.mark.parametrize(("name", "options"), [("a.avi", {"codec": "mjpeg", "pixels": "yuvj420p"}), ("a.mp4", {})])
def test_truncated_video_says_how_many_frames_were_read(tmp_path: Path, name: str, options: dict) -> None:
    path = write_video(tmp_path / name, 100, **options)
    path.write_bytes(path.read_bytes()[: int(0.7 * path.stat().st_size)])
    with pytest.raises(SourceError, match=r"ends early: [0-9]+ of 100 frames could be read"):
        fl.open_source(path)
    with pytest.warns(FairMOTLabWarning, match="ends early"):
        source = fl.open_source(path, allow_truncated=True)
    count = len(source)
    assert 20 < count < 100
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cut can take references of the last frames
        read = numbers(source)
    assert read[:20] == list(range(1, 21))
    assert len(read) <= count


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.webm", {"codec": "libvpx-vp9"}), ("a.flv", {}), ("a.mp4", {"movflags": "frag_keyframe+empty_moov"})],
)
def test_truncated_without_a_promised_count(tmp_path: Path, name: str, options: dict) -> None:
    path = write_video(tmp_path / name, 60, **options)
    path.write_bytes(path.read_bytes()[: int(0.7 * path.stat().st_size)])
    with pytest.raises(SourceError, match=r"ends early: [0-9]+ frames could be read"):
        fl.open_source(path)


def test_video_with_its_index_cut_off(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 60, movflags="use_metadata_tags")
    path.write_bytes(path.read_bytes()[: int(0.7 * path.stat().st_size)])
    with pytest.raises(SourceError, match=r"a\.mp4 is cut off before its index, so 0 frames"):
        fl.open_source(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_corrupt_segment_is_survived_and_said(tmp_path: Path, name: str) -> None:
    said = "frames could not be decoded and are left out|data are lost before frame"
    path = damage(write_video(tmp_path / name, 100, gop=10), 0.5, 0.55)
    with pytest.warns(FairMOTLabWarning, match=said):
        frames = list(fl.open_source(path))
    order = [frame.number for frame in frames]
    assert order == sorted(set(order))
    assert [number_in(frame.image) for frame in frames[:9]] == list(range(1, 10))  # before the damage
    assert [number_in(frame.image) for frame in frames[-10:]] == list(range(91, 101))  # after it
    assert 70 <= len(frames) < 100


def test_damaged_hevc_frames_are_shown(tmp_path: Path) -> None:
    """FFmpeg 8 would drop every frame from the damage to the next keyframe."""
    path = write_video(tmp_path / "a.mp4", 60, codec="libx265", gop=30, size=(160, 120))
    damage(path, 0.7, 0.73)
    source = fl.open_source(path)
    with pytest.warns(FairMOTLabWarning, match="could not be decoded|shown with damage"):
        frames = list(source)
    assert len(frames) >= 50


def test_changing_resolution_is_scaled_and_said(tmp_path: Path) -> None:
    first = write_video(tmp_path / "a.ts", 10).read_bytes()
    second = write_video(tmp_path / "b.ts", 10, size=(128, 96)).read_bytes()
    (tmp_path / "both.ts").write_bytes(first + second)
    source = fl.open_source(tmp_path / "both.ts")
    with pytest.warns(FairMOTLabWarning, match="at frame 11 from 64x48 to 128x96"):
        frames = list(source)
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert [number_in(frame.image) for frame in frames] == [*range(1, 11), *range(1, 11)]


def test_sound_without_picture(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds sound but no picture"):
        fl.open_source(write_sound(tmp_path / "a.m4a"))


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mpeg4"), ("a.mp4", "libx264")])
def test_video_of_0_frames(tmp_path: Path, name: str, codec: str) -> None:
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(SourceError, match="0 frames"):
        fl.open_source(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"just a note\n" * 40, bytes(range(256)) * 200])
def test_file_that_is_no_video(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.mp4 (cannot be read as a video|holds no)"):
        fl.open_source(tmp_path / "a.mp4")


# -- arrays, fingerprints, wrong things -----------------------------------------------------------------------------


def test_list_of_arrays() -> None:
    source = fl.open_source([picture(number) for number in range(1, 6)], frame_rate=10, name="mine")
    assert (source.kind, source.name, len(source), source.frame_rate) == ("arrays", "mine", 5, 10)
    assert numbers(source) == numbers(source) == [1, 2, 3, 4, 5]
    assert number_in(source.image(4)) == 4
    assert numbers(fl.open_source(np.stack([picture(1), picture(2)]))) == [1, 2]
    assert fl.open_source(source) is source


def test_an_image_that_a_generator_could_not_read_is_no_end() -> None:
    read = [frame.number for frame in list(fl.open_source(picture(number) for number in range(1, 4)))]
    assert read == [1, 2, 3]
    with pytest.raises(SourceError, match="Frame 2 of arrays is a NoneType"):
        list(fl.open_source(image for image in (picture(1), None, picture(3))))


def test_generator_is_lazy_and_read_once() -> None:
    made = []

    def camera():
        for number in range(1, 100):
            made.append(number)
            yield picture(number)

    source = fl.open_source(camera())
    assert source.length is None
    assert numbers(source, 1, 3) == [1, 2, 3]
    assert made == [1, 2, 3]
    assert numbers(source, 4, 5) == [4, 5]
    with pytest.raises(SourceError, match="was read up to frame 5"):
        next(iter(source))
    with pytest.raises(SourceError, match="cannot be fetched by number"):
        source.image(2)
    with pytest.raises(SourceError, match="no known length"):
        len(source)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "no images to read"),
        (iter([]), "no images to read"),
        ([np.zeros((4, 4), np.uint8)], r"Frame 1 of arrays is uint8 \(4, 4\)"),
        ([np.zeros((4, 4, 3))], r"Frame 1 of arrays is float64"),
        ([np.zeros((0, 4, 3), np.uint8)], "is empty"),
        (["a.jpg"], r"There is no a\.jpg"),
        (["a.jpg", 3], "is a str"),
        ("/nowhere/*.png", "matches no images"),
        (np.zeros((4, 4, 3), np.uint8), "not a list of images"),
        (3.5, "A float has no frames"),
        (None, "A NoneType has no frames"),
        ("/nowhere/at/all", "There is no /nowhere/at/all"),
    ],
)
def test_wrong_sources(wrong: object, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        fl.open_source(wrong)


def test_empty_folder_and_wrong_frame_rate(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is empty; a folder of images"):
        fl.open_source(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(SourceError, match="holds no images"):
        fl.open_source(tmp_path)
    for rate in (0, -1, float("nan")):
        with pytest.raises(SourceError, match="frame rate must be"):
            fl.open_source([picture(1)], frame_rate=rate)


def test_labels_of_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    frames = [np.zeros((48, 64, 3), np.uint8)] * 3
    truth = tmp_path / "street" / "gt" / "gt.txt"
    truth.parent.mkdir(parents=True)
    truth.write_text("1,1,10,20,30,20,1,1,1\n")
    ini = "[Sequence]\nname=street\nframeRate=25\nseqLength=3\nimWidth={}\nimHeight={}\n"
    for labels in (truth, truth.parent.parent):
        for width, height in ((64, 48), (48, 64)):  # of a video that lies on its side
            (tmp_path / "street" / "seqinfo.ini").write_text(ini.format(width, height))
            assert len(fl.open_source(frames, labels=labels).ground_truth) == 1
        (tmp_path / "street" / "seqinfo.ini").write_text(ini.format(640, 480))
        with pytest.raises(MotFileError, match=r"street\S* is of frames of 640x480, and these frames are 64x48; give"):
            fl.open_source(frames, labels=labels).ground_truth  # noqa: B018


def test_lists_of_public_detections_are_called_as_their_sequences(tmp_path: Path) -> None:
    paths = [tmp_path / name / "det" / "det.txt" for name in ("A", "B")]
    assert several([*paths, "clip.mp4"]) == {"A": paths[0], "B": paths[1], "clip": "clip.mp4"}


@pytest.mark.parametrize("name", ["kept.tar", "det/det.txt"])
def test_files_of_detections_are_no_source(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("1,-1,10,20,30,60,0.9\n")
    with pytest.raises(SourceError, match=r"detections with fl\.open_detections|read it with fl\.open_detections"):
        fl.open_source(tmp_path / name)


def test_fingerprint_of_arrays_knows_every_frame() -> None:
    frames = [np.full((8, 8, 3), number, np.uint8) for number in range(40)]
    known = fl.open_source(frames).fingerprint()
    assert fl.open_source([frame.copy() for frame in frames]).fingerprint() == known
    for number in range(40):
        changed = list(frames)
        changed[number] = np.full((8, 8, 3), 200, np.uint8)
        assert fl.open_source(changed).fingerprint() != known, number


def test_fingerprint_follows_the_content_not_the_place(folder: Path, tmp_path: Path) -> None:
    before = fl.open_source(folder).fingerprint()
    moved = folder.rename(tmp_path / "elsewhere")
    assert fl.open_source(moved).fingerprint() == before
    cv2.imwrite(str(moved / "img12.jpg"), picture(200))
    assert fl.open_source(moved).fingerprint() != before
    video = write_video(tmp_path / "a.mp4")
    print_of_video = fl.open_source(video).fingerprint()
    assert fl.open_source(video.rename(tmp_path / "b.mp4")).fingerprint() == print_of_video
    assert fl.open_source([picture(1)]).fingerprint() == fl.open_source([picture(1)]).fingerprint()
    assert fl.open_source(iter([picture(1)])).fingerprint() != fl.open_source(iter([picture(1)])).fingerprint()


# -- cameras and streams --------------------------------------------------------------------------------------------


class FakeCamera(live.LiveSource):
    """Plays a script of connections: images are shown, "fail" breaks the connection, "stall" shows nothing more.

    Unlike a camera it waits for its reader, unless it is told to hurry: tests must not depend on the machine's speed.
    """

    kind = "camera"

    def __init__(self, script: list[list], retries: int = 3, hurry: bool = False) -> None:
        super().__init__("fake", "fake", 25.0, retries, stall_seconds=1.5)
        self.hurry = hurry
        self.script = iter(script)
        self.retry_seconds = 0.01
        self.released = threading.Event()
        self._start()

    def _keep_all(self) -> bool:
        return not self.hurry

    def _connect(self):
        for step in next(self.script, ["fail"]):
            if isinstance(step, str) and step == "fail":
                raise OSError("the cable is out")
            if isinstance(step, str):
                self.released.wait(5)
                return
            yield step if isinstance(step, tuple) else (step, None)
            time.sleep(0.02)


def test_camera_that_drops_and_stalls_is_opened_again() -> None:
    camera = FakeCamera([[picture(1), picture(2), "fail"], ["fail"], [picture(3), "stall"], [picture(4)]])
    read: list[tuple[int, int]] = []
    with pytest.warns(FairMOTLabWarning) as said, pytest.raises(SourceError, match=r"lost after frame 4 .* in 3 tries"):
        read.extend((frame.number, number_in(frame.image)) for frame in camera)
    camera.released.set()
    assert read == [(1, 1), (2, 2), (3, 3), (4, 4)]
    texts = [str(each.message) for each in said]
    assert "fake was lost after frame 2 (the cable is out); try 1 of 3." in texts
    assert "fake was lost after frame 2 (the cable is out); try 2 of 3." in texts
    assert "fake was lost after frame 3 (no frame came for 1.5 seconds); try 1 of 3." in texts
    assert sum("after frame 4" in text for text in texts) == 3


def test_slow_reader_gets_the_newest_frame_and_the_count_of_the_others() -> None:
    camera = FakeCamera([[picture(number) for number in range(1, 31)]], hurry=True)
    frames = camera.frames()
    next(frames)
    while camera.dropped < 5:  # the camera drops 28 of its 30 frames if nobody comes for them
        time.sleep(0.01)
    frame = next(frames)
    assert number_in(frame.image) >= 7
    assert camera.dropped >= number_in(frame.image) - 2
    assert frame.number == 2
    assert frame.time >= 0.02 * (number_in(frame.image) - 1) * 0.9
    camera.close()
    assert list(frames) == []


def test_stream_keeps_its_own_time_stamps_and_goes_on_by_the_clock_after_a_loss() -> None:
    stamps = [70.0, 70.5, 70.6, 3.0, 3.25]
    shown = [(picture(number), stamp) for number, stamp in enumerate(stamps, 1)]
    camera = FakeCamera([[*shown[:3], "fail"], shown[3:]], retries=1)
    times: list[float] = []
    with pytest.warns(FairMOTLabWarning), pytest.raises(SourceError):
        times.extend(frame.time for frame in camera)
    assert times[:3] == pytest.approx([0, 0.5, 0.6])
    assert times[4] - times[3] == pytest.approx(0.25)
    assert times[3] > times[2]


def test_camera_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="Camera 93 cannot be opened"):
        fl.open_source(93)
    with pytest.raises(SourceError, match="Camera 93 cannot be opened"):
        fl.open_source("93")


class _Server(threading.Thread):
    """Serves each of its recordings to one connection."""

    def __init__(self, recordings: list[bytes]) -> None:
        import socket

        super().__init__(daemon=True)
        self.recordings = recordings
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://user:secret@127.0.0.1:{self.socket.getsockname()[1]}"
        self.start()

    def run(self) -> None:
        for recording in self.recordings:
            connection, _ = self.socket.accept()
            connection.sendall(recording)
            connection.close()
        self.socket.close()


def test_network_stream_that_drops_is_opened_again(tmp_path: Path) -> None:
    parts = [write_video(tmp_path / f"{part}.ts", 20).read_bytes() for part in range(2)]
    server = _Server(parts)
    source = fl.open_source(server.address.replace("user:secret@", ""), retries=2, stall_seconds=5)
    assert isinstance(source, live.StreamSource)
    source.retry_seconds = 0.01
    assert (source.kind, source.width, source.height, source.length) == ("stream", 64, 48, None)
    read: list[tuple[int, float]] = []
    with pytest.warns(FairMOTLabWarning, match="try [12] of 2"), pytest.raises(SourceError, match="in 2 tries"):
        read.extend((frame.number, frame.time) for frame in source)
    assert [number for number, _ in read] == list(range(1, len(read) + 1))
    assert len(read) + source.dropped == 40
    assert all(a < b for (_, a), (_, b) in itertools.pairwise(read))
    with pytest.raises(SourceError, match="is live"):
        source.image(1)


def test_password_of_an_address_is_not_shown() -> None:
    with pytest.raises(SourceError, match="cannot be opened") as error:
        fl.open_source("tcp://user:secret@127.0.0.1:9", stall_seconds=1)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("stray", ["cover.jpg", "000004 copy.jpg", "000004(1).jpg", "000001.png"])
def test_a_stray_image_in_a_sequence_is_refused(stray: str, tmp_path: Path) -> None:
    (tmp_path / "img1").mkdir()
    for name in ("000001.jpg", "000002.jpg", "000004.jpg", stray):
        cv2.imwrite(str(tmp_path / "img1" / name), np.zeros((48, 64, 3), np.uint8))
    ini = "[Sequence]\nname=s\nimDir=img1\nframeRate=25\nseqLength=4\nimWidth=64\nimHeight=48\nimExt=.jpg\n"
    (tmp_path / "seqinfo.ini").write_text(ini)
    with pytest.raises(SourceError, match=r"take out what is no frame|two images of one name"):
        fl.open_source(tmp_path)


def test_a_changed_image_of_the_same_size_changes_the_fingerprint(tmp_path: Path) -> None:
    for number in range(1, 31):
        cv2.imwrite(str(tmp_path / f"{number:06d}.bmp"), np.full((48, 64, 3), number, np.uint8))
    before = fl.open_source(tmp_path).fingerprint()
    assert fl.open_source(tmp_path).fingerprint() == before
    cv2.imwrite(str(tmp_path / "000003.bmp"), np.full((48, 64, 3), 200, np.uint8))
    assert fl.open_source(tmp_path).fingerprint() != before
