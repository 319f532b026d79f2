"""Hand results to others and take theirs: MOTChallenge's server, CVAT, TrackEval; and oracle studies.

Layouts: https://motchallenge.net/instructions (submission), CVAT's format "MOT 1.1", and TrackEval's
docs/MOTChallenge-Official/Readme.md.
"""

from __future__ import annotations

import difflib
import os
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .errors import EvaluationError, FairMOTLabWarning, MotFileError
from .files import atomic_write
from .motfile import check_table, read_mot, write_mot

__all__ = [
    "SERVER_SEQUENCES",
    "oracle_detections",
    "oracle_identities",
    "oracle_study",
    "read_cvat",
    "write_cvat",
    "write_submission",
    "write_trackeval",
]


def _mot17(*numbers: str) -> tuple[str, ...]:
    return tuple(f"MOT17-{number}-{detector}" for number in numbers for detector in ("DPM", "FRCNN", "SDP"))


# The sequences that each challenge expects: all of train and test for MOT16, MOT17 and MOT20, the test set for MOT15.
SERVER_SEQUENCES: dict[str, tuple[str, ...]] = {
    "MOT15": (
        "TUD-Crossing", "PETS09-S2L2", "ETH-Jelmoli", "ETH-Linthescher", "ETH-Crossing", "AVG-TownCentre",
        "ADL-Rundle-1", "ADL-Rundle-3", "KITTI-16", "KITTI-19", "Venice-1",
    ),
    "MOT16": tuple(f"MOT16-{number:02d}" for number in range(1, 15)),
    "MOT17": _mot17(*(f"{number:02d}" for number in range(1, 15))),
    "MOT20": tuple(f"MOT20-{number:02d}" for number in range(1, 9)),
}  # fmt: skip
# What a server scores; the training part may be left out of a MOT16, MOT17 or MOT20 submission.
_TEST = {
    "MOT15": SERVER_SEQUENCES["MOT15"],
    "MOT16": tuple(f"MOT16-{number}" for number in ("01", "03", "06", "07", "08", "12", "14")),
    "MOT17": _mot17("01", "03", "06", "07", "08", "12", "14"),
    "MOT20": tuple(f"MOT20-{number}" for number in ("04", "06", "07", "08")),
}


def write_submission(
    tracks: Mapping[str, pd.DataFrame], path: str | os.PathLike[str], *, benchmark: str | None = None
) -> Path:
    """Write a zip that the MOTChallenge server takes: one SEQUENCE.txt for each sequence, in no folder.

    Rows are frame, id, x, y, w, h, score, -1, -1, -1, with a class of -1 as the server asks.

    Parameters
    ----------
    tracks
        Tracks table by name of sequence. MOT17 wants one for each of its three detectors.
    path
        The zip to make or replace.
    benchmark
        "MOT15", "MOT16", "MOT17" or "MOT20"; by default what the names of the sequences say.

    Raises
    ------
    EvaluationError
        If a sequence is not of the benchmark, or one of its test set is missing: the server refuses such a zip.
    MotFileError
        If a table breaks the rules of `read_mot`.
    """
    benchmark = benchmark or _benchmark_of(tracks)
    if benchmark not in SERVER_SEQUENCES:
        raise EvaluationError(f"benchmark {benchmark!r} is unknown; choose {', '.join(SERVER_SEQUENCES)}.")
    known, wanted = SERVER_SEQUENCES[benchmark], _TEST[benchmark]
    foreign = [name for name in tracks if name not in known]
    if foreign:
        near = difflib.get_close_matches(foreign[0], known, n=2)
        hint = f"did you mean {' or '.join(near)}" if near else f"it has {', '.join(known[:3])}, ..."
        raise EvaluationError(f"{foreign[0]!r} is no sequence of {benchmark}; {hint}.")
    missing = [name for name in wanted if name not in tracks]
    if missing:
        raise EvaluationError(
            f"a {benchmark} submission needs results for its {len(wanted)} test sequences; {len(missing)} are missing: "
            f"{', '.join(missing[:6])}{', ...' if len(missing) > 6 else ''}."
        )
    texts = {}
    for name in sorted(tracks):
        check_table(tracks[name], name=f"tracks of {name}")
        if not len(tracks[name]):
            warnings.warn(f"{name} has no track at all.", FairMOTLabWarning, stacklevel=2)
        texts[f"{name}.txt"] = _mot_text(tracks[name])
    return _write_zip(path, texts)


def _benchmark_of(tracks: Iterable[str]) -> str:
    names = list(tracks)
    for benchmark, known in SERVER_SEQUENCES.items():
        if names and names[0] in known:
            return benchmark
    raise EvaluationError(
        f"{names[0] if names else 'an empty dict'!r} does not say which benchmark it belongs to; pass "
        f"benchmark=, one of {', '.join(SERVER_SEQUENCES)}."
    )


def _mot_text(tracks: pd.DataFrame) -> str:
    rows = tracks.sort_values(["frame", "id"], kind="stable")
    table = pd.DataFrame({name: rows[name].astype(np.int64) for name in ("frame", "id")})
    for name in "xywh":
        table[name] = rows[name].astype(float)
    table["score"] = rows["score"].astype(float) if "score" in rows else 1.0
    return table.assign(a=-1, b=-1, c=-1).to_csv(header=False, index=False, lineterminator="\n")


def _write_zip(path: str | os.PathLike[str], texts: Mapping[str, str]) -> Path:
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            entry = zipfile.ZipInfo(name)  # dated 1980, so that the same results give the same file
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return Path(path)


# -------------------------------------------------------------------------------------------------------------- CVAT

_CVAT_LABELS = ("person",)


def write_cvat(tracks: pd.DataFrame, path: str | os.PathLike[str], *, labels: Iterable[str] = _CVAT_LABELS) -> Path:
    """Write tracks as a zip in CVAT's format "MOT 1.1", to be uploaded to a task as annotations.

    The zip holds gt/gt.txt (frame from 1, track, x, y, w, h, not ignored, label, visibility) and gt/labels.txt.

    Parameters
    ----------
    tracks
        Tracks or ground truth. `class_id` counts the labels from 1; where it is -1 or missing, the first is meant.
    path
        The zip to make or replace.
    labels
        Names of the labels in the CVAT task.

    Raises
    ------
    EvaluationError
        If a class has no label.
    MotFileError
        If the table breaks the rules of `read_mot`.
    """
    names = list(labels)
    check_table(tracks, name="the tracks")
    rows = tracks.sort_values(["frame", "id"], kind="stable")
    classes = rows["class_id"].to_numpy() if "class_id" in rows else np.full(len(rows), -1)
    classes = np.where(classes == -1, 1, classes)
    if len(rows) and (classes.min() < 1 or classes.max() > len(names)):
        odd = int(classes[(classes < 1) | (classes > len(names))][0])
        raise EvaluationError(f"class {odd} has no label: there are {len(names)} ({', '.join(names)}), counted from 1.")
    table = pd.DataFrame({name: rows[name].astype(np.int64) for name in ("frame", "id")})
    for name in "xywh":
        table[name] = rows[name].astype(float)
    conf = rows["conf"].to_numpy() if "conf" in rows else np.ones(len(rows))
    table["not_ignored"] = (conf != 0).astype(int)
    table["class"] = classes
    visibility = rows["visibility"].to_numpy(float) if "visibility" in rows else np.ones(len(rows))
    table["visibility"] = np.where(np.isnan(visibility), 1.0, visibility)
    text = table.to_csv(header=False, index=False, lineterminator="\n")
    return _write_zip(path, {"gt/gt.txt": text, "gt/labels.txt": "\n".join(names) + "\n"})


def read_cvat(path: str | os.PathLike[str]) -> tuple[pd.DataFrame, list[str]]:
    """Read annotations that CVAT exported as "MOT 1.1".

    Parameters
    ----------
    path
        The zip, or the folder it was unpacked to.

    Returns
    -------
    pandas.DataFrame
        Ground truth as `read_mot` gives it: `class_id` counts the labels from 1, `conf` is 0 for what was ignored.
    list of str
        The labels.

    Raises
    ------
    MotFileError
        If gt/gt.txt is missing or breaks the rules of `read_mot`.
    """
    path = Path(path)
    if path.is_dir():
        return _read_cvat_folder(path, path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {
                name: archive.read(name) for name in archive.namelist() if name in ("gt/gt.txt", "gt/labels.txt")
            }
    except FileNotFoundError as error:
        raise MotFileError(f"{path} does not exist; give the zip that CVAT exported.") from error
    except (zipfile.BadZipFile, OSError) as error:
        raise MotFileError(f"{path} is not a zip file ({error}); export the task from CVAT as MOT 1.1.") from error
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "gt").mkdir()
        for name, data in members.items():
            (Path(folder) / name).write_bytes(data)
        try:
            return _read_cvat_folder(Path(folder), path)
        except MotFileError as error:
            raise MotFileError(str(error).replace(str(Path(folder)), str(path))) from None


def _read_cvat_folder(folder: Path, named: Path) -> tuple[pd.DataFrame, list[str]]:
    if not (folder / "gt" / "gt.txt").is_file():
        raise MotFileError(f"{named} holds no gt/gt.txt; export the task from CVAT as MOT 1.1.")
    table = read_mot(folder / "gt" / "gt.txt", "ground_truth")
    table.attrs["sequence"] = named.name.removesuffix(".zip")
    labels_file = folder / "gt" / "labels.txt"
    labels = labels_file.read_text(encoding="utf-8").split("\n") if labels_file.is_file() else list(_CVAT_LABELS)
    labels = [label.strip() for label in labels if label.strip()]
    if len(table) and table["class_id"].max() > len(labels):
        raise MotFileError(
            f"{named}: gt/gt.txt has class {table['class_id'].max()} and gt/labels.txt has {len(labels)} labels; "
            "export again."
        )
    return table, labels


# --------------------------------------------------------------------------------------------------------- TrackEval


def write_trackeval(
    tracks: Mapping[str, pd.DataFrame],
    ground_truth: Mapping[str, Any],
    folder: str | os.PathLike[str],
    *,
    tracker: str = "fairmot_lab",
    benchmark: str = "MOT17",
    split: str = "train",
) -> Path:
    """Lay results and ground truth out as TrackEval wants them, so that it can be run on the folder as it is.

    Written are gt/BENCHMARK-SPLIT/SEQ/gt/gt.txt and seqinfo.ini, gt/seqmaps/BENCHMARK-SPLIT.txt, and
    trackers/BENCHMARK-SPLIT/TRACKER/data/SEQ.txt. TrackEval is then run with GT_FOLDER=folder/gt,
    TRACKERS_FOLDER=folder/trackers, BENCHMARK and SPLIT_TO_EVAL as here.

    Parameters
    ----------
    tracks, ground_truth
        Tables by name of sequence (ground truth also as `prepare` gives it). The length comes from the `attrs` of the
        ground truth, or is its last frame.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    from .protocols import prepare

    folder, part = Path(folder), f"{benchmark}-{split}"
    absent = [name for name in tracks if name not in ground_truth]
    if absent:
        raise EvaluationError(f"the tracks of {absent[0]} have no ground truth; give it under the same name.")
    for name, table in tracks.items():
        truth = prepare(ground_truth[name], name)
        home = folder / "gt" / part / name
        if benchmark != "MOT15" and not truth.has_classes:
            raise EvaluationError(
                f"{name} has no classes, and TrackEval needs them for {benchmark}; use benchmark='MOT15'."
            )
        write_mot(_trackeval_truth(truth.table), home / "gt" / "gt.txt")
        length = truth.length or int(max([*truth.frame[-1:], *table["frame"].tail(1)], default=1))
        info = {
            "name": name, "imDir": "img1", "frameRate": f"{truth.frame_rate or 30:g}", "seqLength": length,
            "imWidth": truth.width or 1, "imHeight": truth.height or 1, "imExt": ".jpg",
        }  # fmt: skip
        _write_text(home / "seqinfo.ini", "\n".join(["[Sequence]", *(f"{k}={v}" for k, v in info.items()), ""]))
        _write_text(folder / "trackers" / part / tracker / "data" / f"{name}.txt", _mot_text(table))
    _write_text(folder / "gt" / "seqmaps" / f"{part}.txt", "\n".join(["name", *tracks, ""]))
    return folder


def _trackeval_truth(table: pd.DataFrame) -> pd.DataFrame:
    """TrackEval wants nine columns, also for MOT15."""
    defaults = {"conf": 1.0, "class_id": 1, "visibility": 1.0}
    table = table.assign(**{name: value for name, value in defaults.items() if name not in table})
    return table.assign(class_id=table["class_id"].replace(-1, 1), visibility=table["visibility"].fillna(1.0))


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


# ---------------------------------------------------------------------------------------------------- oracle studies


def oracle_detections(tracks: pd.DataFrame, ground_truth: Any, *, protocol: str | None = None) -> pd.DataFrame:
    """Perfect detection, the tracker's association: every box of the ground truth, with the id the tracker gave it.

    A box that the tracker found has the id of its match; one that it missed has the id that the person carried last, or
    will carry next; a person that it never found has an id of their own. What remains wrong is association.

    Parameters
    ----------
    tracks, ground_truth, protocol
        As for `evaluate`, of one sequence.

    Returns
    -------
    pandas.DataFrame
        Tracks table.
    """
    one = _matches(tracks, ground_truth, protocol)
    scene = one.scene
    frame = np.repeat(scene.frames, np.diff(scene.g_start))
    matched = np.full(len(frame), np.nan)
    found = one.partner >= 0
    matched[found] = scene.t_ids[scene.t_id[one.partner[found]]]
    carried = pd.Series(matched).groupby(scene.g_id)
    ids = carried.ffill().fillna(carried.bfill())
    unused = int(scene.t_ids.max()) + 1 if len(scene.t_ids) else 1
    own = pd.Series(unused + scene.g_id)
    # an id fits in a frame once: where a missed box would repeat one, it gets the person's own
    doubled = pd.DataFrame({"frame": frame, "id": ids, "missed": ~found}).sort_values("missed", kind="stable")
    repeats = doubled.duplicated(["frame", "id"]).sort_index() & ids.notna()
    ids = ids.where(~repeats).fillna(own)
    return _table(frame, ids.to_numpy(), one.ground_truth.box[scene.g_rows], one.name)


def oracle_identities(tracks: pd.DataFrame, ground_truth: Any, *, protocol: str | None = None) -> pd.DataFrame:
    """Perfect association, the tracker's detection: the tracker's boxes, each with the id of the person it matches.

    Boxes that match nobody keep ids of their own. What remains wrong is detection.

    Parameters
    ----------
    tracks, ground_truth, protocol
        As for `evaluate`, of one sequence.

    Returns
    -------
    pandas.DataFrame
        Tracks table, of the rows that the protocol scores.
    """
    one = _matches(tracks, ground_truth, protocol)
    scene = one.scene
    frame = np.repeat(scene.frames, np.diff(scene.t_start))
    unused = int(scene.g_ids.max()) + 1 if len(scene.g_ids) else 1
    ids = unused + scene.t_id
    rows = np.flatnonzero(one.partner >= 0)
    ids[one.partner[rows]] = scene.g_ids[scene.g_id[rows]]
    boxes = one.tracks[list("xywh")].to_numpy(float)[scene.t_rows]
    return _table(frame, ids, boxes, one.name)


def oracle_study(tracks: pd.DataFrame, ground_truth: Any, *, protocol: str | None = None) -> pd.DataFrame:
    """The tracker as it is, with perfect detection, and with perfect association, side by side.

    Returns
    -------
    pandas.DataFrame
        Rows "tracker", "perfect detection", "perfect association": `tracks`, and the figures of `quick_figures`. What
        the second row lacks to 1 is the cost of association, what the third lacks that of detection.
    """
    from .evaluation import prepare, quick_figures

    truth = prepare(_table_of(ground_truth))
    versions = {
        "tracker": tracks,
        "perfect detection": oracle_detections(tracks, truth, protocol=protocol),
        "perfect association": oracle_identities(tracks, truth, protocol=protocol),
    }
    return pd.DataFrame(
        [{"tracks": name} | quick_figures(table, truth, protocol=protocol) for name, table in versions.items()]
    )


def _matches(tracks: pd.DataFrame, ground_truth: Any, protocol: str | None) -> Any:
    from .evaluation import match_tracks
    from .protocols import prepare

    truth = prepare(_table_of(ground_truth))
    check_table(tracks, name=f"tracks of {truth.name}", length=truth.length)
    return match_tracks(tracks, truth, protocol or ("motchallenge" if truth.has_classes else "raw"))


def _table_of(ground_truth: Any) -> Any:
    return getattr(ground_truth, "ground_truth", ground_truth)


def _table(frame: np.ndarray, ids: np.ndarray, boxes: np.ndarray, name: str) -> pd.DataFrame:
    table = pd.DataFrame({"frame": frame, "id": ids.astype(np.int64)})
    table[list("xywh")] = boxes
    table = table.assign(score=1.0, class_id=-1)
    table.attrs["sequence"] = name
    return table
