"""What the views show: errors per frame, peaks, embedding statistics, similarity, differences of figures.

Functions of tables and arrays; nothing here knows about widgets.
"""

from __future__ import annotations

import pickle
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .errors import ConfigError, EvaluationError, FairMOTLabWarning, OutputsError

if TYPE_CHECKING:
    from .association import TrackerConfig
    from .detection import FrameOutputs
    from .evaluation import Evaluation
    from .explanation import FrameRecord, StageRecord
    from .outputs import Outputs

BOX = ["x", "y", "w", "h"]

# -- errors of a tracker --------------------------------------------------------------------------------------------


def error_boxes(
    events: pd.DataFrame, tracks: pd.DataFrame | None = None, ground_truth: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The boxes of a tracker's errors.

    Parameters
    ----------
    events
        motmetrics' events of one sequence: index (FrameId, Event), columns Type, OId, HId, D.
    tracks, ground_truth
        Where the boxes come from. Errors whose table is not given, or lacks the box, have NaN in x, y, w, h.

    Returns
    -------
    DataFrame
        frame, kind ("FP", "MISS" or "SWITCH"), id (of the track; of the person for misses), x, y, w, h, score.
    """
    flat = events.reset_index()
    flat = flat[flat["Type"].isin(["FP", "MISS", "SWITCH"])]
    missed = flat["Type"] == "MISS"
    errors = pd.DataFrame(
        {
            "frame": flat["FrameId"].astype("int64"),
            "kind": flat["Type"].astype(str),
            "id": flat["OId"].where(missed, flat["HId"]).astype("int64"),
        }
    ).reset_index(drop=True)
    parts = []
    for table, rows in ((ground_truth, errors["kind"] == "MISS"), (tracks, errors["kind"] != "MISS")):
        part = errors[rows]
        if table is None:
            parts.append(part.assign(x=np.nan, y=np.nan, w=np.nan, h=np.nan, score=np.nan))
        else:
            columns = ["frame", "id", *BOX, *(["score"] if "score" in table else [])]
            parts.append(part.merge(table[columns].drop_duplicates(["frame", "id"]), on=["frame", "id"], how="left"))
    columns = ["frame", "kind", "id", *BOX, "score"]
    joined = pd.concat(parts).reindex(columns=columns)
    return joined.sort_values(["frame", "kind", "id"], kind="stable").reset_index(drop=True)


def error_lanes(errors: pd.DataFrame, length: int) -> np.ndarray:
    """How many false positives and misses each frame has.

    Parameters
    ----------
    errors
        As `error_boxes` returns.
    length
        Number of frames of the sequence.

    Returns
    -------
    (2, length) int64
        False positives, misses; column k is frame k + 1.
    """
    lanes = np.zeros((2, length), np.int64)
    for lane, kind in enumerate(("FP", "MISS")):
        frames = errors.loc[errors["kind"] == kind, "frame"].to_numpy()
        frames = frames[(frames >= 1) & (frames <= length)]
        np.add.at(lanes[lane], frames - 1, 1)
    return lanes


def evaluation_errors(
    evaluation: Evaluation, name: str, tracks: pd.DataFrame | None = None, ground_truth: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The error boxes and the ID switches of one sequence of an evaluation.

    Parameters
    ----------
    evaluation
        Of one sequence or several.
    name
        The sequence; may be another if the evaluation holds only one.
    tracks, ground_truth
        Where boxes come from; by default what was evaluated. See `error_boxes`.

    Returns
    -------
    errors, switches : DataFrame
    """
    name = only_sequence(evaluation, name)
    one = evaluation.sequences[name]
    tracks = one.tracks if tracks is None else tracks
    ground_truth = one.ground_truth.table if ground_truth is None else ground_truth
    switches = evaluation.switches
    switches = switches[switches["sequence"] == name].reset_index(drop=True)
    return error_boxes(one.event_table, tracks, ground_truth), switches


def only_sequence(evaluation: Evaluation, name: str) -> str:
    """The sequence of an evaluation that a view of the source `name` is about.

    Raises
    ------
    EvaluationError
        If there are several and none has that name.
    """
    names = list(evaluation.sequences)
    if name in names:
        return name
    if len(names) == 1:
        return names[0]
    raise EvaluationError(f"The evaluation holds {', '.join(names) or 'no sequence'}, but not {name}; evaluate it too.")


def switch_marks(switches: pd.DataFrame) -> list[dict[str, Any]]:
    """The ID switches of one sequence as plain records: frame, gt_id, from_id, to_id, kind."""
    return records(switches[[c for c in ("frame", "gt_id", "from_id", "to_id", "kind") if c in switches]])


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as JSON knows them: plain numbers and texts, None for missing values."""
    return [{str(k): _plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    """A number or text that JSON knows; None for missing values."""
    if value is None or value is pd.NA or (isinstance(value, (float, np.floating)) and not np.isfinite(value)):
        return None
    if isinstance(value, (np.bool_, bool)):
        return bool(value)
    if isinstance(value, (np.integer, int)):
        return int(value)
    if isinstance(value, (np.floating, float)):
        return int(value) if float(value).is_integer() else float(value)
    return str(value)


# -- peaks, crops ---------------------------------------------------------------------------------------------------


def peak_table(outputs: FrameOutputs, top_k: int = 100) -> pd.DataFrame:
    """The best peaks of a heatmap with the boxes they decode to.

    Parameters
    ----------
    outputs
        Of one frame.
    top_k
        How many at most.

    Returns
    -------
    DataFrame
        rank (from 1), cell_x, cell_y (heatmap cells; -1 where the peaks are not known), score, x, y, w, h (pixels of
        the original image), best first.
    """
    n = min(top_k, len(outputs))
    peaks = np.full((n, 2), -1) if outputs.peaks is None else outputs.peaks[:n]
    columns = {"rank": np.arange(1, n + 1), "cell_x": peaks[:, 0], "cell_y": peaks[:, 1], "score": outputs.scores[:n]}
    return pd.DataFrame({**columns, **dict(zip(BOX, outputs.boxes[:n].T.astype(float), strict=True))})


def detection_at(outputs: FrameOutputs, x: float, y: float) -> int | None:
    """Row of the best-scoring box that covers a pixel (rows are ordered by score); None where there is none."""
    left, top, width, height = outputs.boxes.T
    rows = np.flatnonzero((left <= x) & (x <= left + width) & (top <= y) & (y <= top + height))
    return int(rows[0]) if len(rows) else None


def crop(image: np.ndarray, box: Sequence[float], height: int = 88, margin: float = 0.05) -> np.ndarray:
    """Cut a box out of a frame.

    Parameters
    ----------
    image : (H, W, 3) uint8
        The frame.
    box
        x, y, w, h in pixels; what lies outside the frame is black.
    height
        Height of the result in pixels; it keeps the aspect of the box, down to a width of 8.
    margin
        Share of the box's size that is added on each side.

    Returns
    -------
    (height, width, 3) uint8
    """
    import cv2

    x, y, w, h = (float(v) for v in box)
    left, top = int(np.floor(x - margin * w)), int(np.floor(y - margin * h))
    right, bottom = max(left + 1, int(np.ceil(x + w + margin * w))), max(top + 1, int(np.ceil(y + h + margin * h)))
    part = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    missing = (bottom - top - part.shape[0], right - left - part.shape[1])
    above, before = min(max(-top, 0), missing[0]), min(max(-left, 0), missing[1])
    part = np.pad(part, ((above, missing[0] - above), (before, missing[1] - before), (0, 0)))
    width = int(np.clip(round((right - left) * height / (bottom - top)), 8, 3 * height))
    method = cv2.INTER_AREA if part.shape[0] > height else cv2.INTER_LINEAR
    return cv2.resize(part, (width, height), interpolation=method)


# -- embeddings -----------------------------------------------------------------------------------------------------


def cosine_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(M, N) cosine similarity of (M, D) and (N, D) vectors; they need not have unit length."""
    return _unit(a) @ _unit(b).T


def similarity_map(embedding_map: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    """Cosine similarity of one appearance vector with every cell of a frame.

    Parameters
    ----------
    embedding_map : (D, H, W)
        Appearance vectors of all cells.
    embedding : (D,)
        The vector looked for.

    Returns
    -------
    (H, W) float32, from -1 to 1
    """
    depth, height, width = embedding_map.shape
    flat = embedding_map.reshape(depth, -1)
    lengths = np.maximum(np.linalg.norm(flat, axis=0), 1e-12)
    vector = np.asarray(embedding, np.float32) / max(float(np.linalg.norm(embedding)), 1e-12)
    return (vector @ flat / lengths).reshape(height, width).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(M, N) intersection over union of (M, 4) and (N, 4) boxes x, y, w, h."""
    a, b = np.asarray(a, float)[:, None], np.asarray(b, float)[None]
    sides = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    inside = np.clip(sides, 0, None).prod(-1)
    union = a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - inside
    return inside / np.maximum(union, 1e-12)


def label_detections(outputs: Outputs, table: pd.DataFrame, min_iou: float = 0.5) -> np.ndarray:
    """Give each detection the id of the track or person it covers.

    Parameters
    ----------
    outputs
        Detections of a sequence.
    table
        Tracks, or ground truth (rows with conf 0 are not used). Tracks with a column `det` say it themselves.
    min_iou
        Smallest overlap of a detection with its box.

    Returns
    -------
    (T,) int64
        An id per row of `outputs.detections()`, -1 where none; in each frame an id at most once, the sum of overlaps
        being as large as can be.
    """
    from scipy.optimize import linear_sum_assignment

    arrays = outputs.arrays()
    ids = np.full(len(arrays.scores), -1, np.int64)
    if "det" in table:  # tracks made from these outputs know their detections
        ids[table["det"]] = table["id"]
        return ids
    used = table[table["conf"] != 0] if "conf" in table else table
    rows = {int(part["frame"].iloc[0]): part for _, part in used.groupby("frame")}
    for i, number in enumerate(arrays.frames):
        part = rows.get(int(number))
        if part is None:
            continue
        first, last = arrays.offsets[i], arrays.offsets[i + 1]
        overlap = iou_matrix(arrays.boxes[first:last], part[BOX].to_numpy())
        overlap[overlap < min_iou] = 0
        detections, boxes = linear_sum_assignment(-overlap)
        good = overlap[detections, boxes] > 0
        ids[first + detections[good]] = part["id"].to_numpy()[boxes[good]]
    return ids


@dataclass(frozen=True)
class EmbeddingDistances:
    """How far embeddings of the same person, and of different people, are apart.

    Attributes
    ----------
    same, different : (N,), (M,) float32
        Cosine distances (1 - cosine similarity) of pairs of detections.
    sampled : bool
        Whether the pairs are a random sample of all pairs.
    auc : float
        Probability that a pair of the same person is closer than a pair of different people; NaN without such pairs.
    rank1 : float
        Share of detections whose nearest detection `gap` frames later, among all people there, is the same person;
        NaN where nobody is seen twice.
    gap : int
        See `rank1`, in frames.
    queries : int
        Number of detections that `rank1` counts.
    """

    same: np.ndarray
    different: np.ndarray
    sampled: bool
    auc: float
    rank1: float
    gap: int
    queries: int

    def histogram(self, bins: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Edges (bins + 1,), and the counts (bins,) of same and different pairs."""
        largest = max([1.0, *(float(part.max()) for part in (self.same, self.different) if len(part))])
        edges = np.linspace(0.0, largest, bins + 1)
        return edges, np.histogram(self.same, edges)[0], np.histogram(self.different, edges)[0]

    def accepted(self, threshold: float) -> tuple[float, float]:
        """The shares of same and of different pairs whose distance is at most `threshold`; NaN without pairs."""
        return tuple(
            float((part <= threshold).mean()) if len(part) else float("nan") for part in (self.same, self.different)
        )  # type: ignore[return-value]


def embedding_distances(
    embeddings: np.ndarray,
    ids: np.ndarray,
    frames: np.ndarray,
    *,
    gap: int = 30,
    max_pairs: int = 100_000,
    seed: int = 0,
) -> EmbeddingDistances:
    """Compare embeddings of the same person with those of different people.

    Parameters
    ----------
    embeddings : (T, D)
        Appearance vectors.
    ids : (T,)
        Whose they are; negative: unknown, not used.
    frames : (T,)
        The frame of each. Pairs of one person are of different frames.
    gap
        Frames between query and gallery of `rank1`.
    max_pairs
        Most pairs of each kind; where there are more, this many are drawn at random with `seed`.

    Returns
    -------
    EmbeddingDistances
    """
    known = ids >= 0
    vectors, ids, frames = _unit(embeddings[known]), np.asarray(ids)[known], np.asarray(frames)[known]
    count = len(ids)
    sampled = count * (count - 1) // 2 > max_pairs
    if sampled:
        generator = np.random.default_rng(seed)
        same_pairs, different_pairs = _draw_pairs(ids, frames, max_pairs, generator)
    else:
        first, second = np.triu_indices(count, 1)
        equal = ids[first] == ids[second]
        apart = frames[first] != frames[second]
        same_pairs = np.stack((first, second))[:, equal & apart]
        different_pairs = np.stack((first, second))[:, ~equal]
    same, different = (
        (1 - np.einsum("nd,nd->n", vectors[a], vectors[b])).astype(np.float32) for a, b in (same_pairs, different_pairs)
    )
    rank1, queries = _rank1(vectors, ids, frames, gap)
    return EmbeddingDistances(same, different, sampled, area_under_roc(same, different), rank1, gap, queries)


def area_under_roc(same: np.ndarray, different: np.ndarray) -> float:
    """The chance that a distance in `same` is below one in `different`, ties counted half (Mann-Whitney U).

    NaN if one of them is empty.
    """
    from scipy.stats import rankdata

    if not len(same) or not len(different):
        return float("nan")
    ranks = rankdata(np.concatenate((different, same)))[: len(different)]
    return float((ranks.sum() - len(different) * (len(different) + 1) / 2) / (len(different) * len(same)))


def _draw_pairs(
    ids: np.ndarray, frames: np.ndarray, number: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Random pairs of the same id in different frames, and of different ids; fewer where they do not exist."""
    order = np.argsort(ids, kind="stable")
    _, starts, sizes = np.unique(ids[order], return_index=True, return_counts=True)
    weights = sizes * (sizes - 1.0)
    same = np.empty((2, 0), np.int64)
    if weights.sum() > 0:
        group = generator.choice(len(sizes), number, p=weights / weights.sum())
        first = generator.integers(0, sizes[group])
        second = (first + generator.integers(1, sizes[group])) % sizes[group]
        same = order[np.stack((starts[group] + first, starts[group] + second))]
        same = same[:, frames[same[0]] != frames[same[1]]]
    different = generator.integers(0, len(ids), (2, 2 * number))
    different = different[:, ids[different[0]] != ids[different[1]]][:, :number]
    return same, different


def _rank1(vectors: np.ndarray, ids: np.ndarray, frames: np.ndarray, gap: int) -> tuple[float, int]:
    rows_of = {int(f): np.flatnonzero(frames == f) for f in np.unique(frames)}
    right = queries = 0
    for number, query in rows_of.items():
        gallery = rows_of.get(number + gap)
        if gallery is None:
            continue
        query = query[np.isin(ids[query], ids[gallery])]
        if len(query):
            nearest = (vectors[query] @ vectors[gallery].T).argmax(1)
            right += int((ids[gallery[nearest]] == ids[query]).sum())
            queries += len(query)
    return (right / queries if queries else float("nan")), queries


@dataclass(frozen=True)
class Projection:
    """Embeddings in the plane.

    Attributes
    ----------
    points : (N, 2) float32
    rows : (N,) int64
        Which embeddings they are: rows of the array given, ascending.
    method : str
        "pca", "tsne" or "umap".
    left_out : int
        Embeddings that were not projected because there are too many.
    explained : float
        Share of the variance that the plane keeps (PCA; else NaN).
    """

    points: np.ndarray
    rows: np.ndarray
    method: str
    left_out: int
    explained: float


def project(embeddings: np.ndarray, method: str = "pca", *, max_points: int = 4000, seed: int = 0) -> Projection:
    """Project embeddings into the plane.

    Parameters
    ----------
    embeddings : (T, D)
        Appearance vectors.
    method
        "pca" (principal components), "tsne" (van der Maaten and Hinton 2008, scikit-learn) or "umap" (McInnes et al.
        2018, needs the package umap-learn).
    max_points
        Where there are more vectors, this many are drawn at random with `seed`.

    Raises
    ------
    ConfigError
        If the method is unknown, or its package is not installed.
    """
    if method not in ("pca", "tsne", "umap"):
        raise ConfigError(f"{method!r} is no method of projection; choose pca, tsne or umap.")
    count = len(embeddings)
    rows = np.arange(count)
    if count > max_points:
        rows = np.sort(np.random.default_rng(seed).choice(count, max_points, replace=False))
    vectors = np.asarray(embeddings, np.float32)[rows]
    explained = float("nan")
    if len(rows) < 3 and method != "pca":
        method = "pca"
    if method == "pca":
        centred = vectors - vectors.mean(0) if len(vectors) else vectors
        variances, axes = np.linalg.eigh(centred.T @ centred)
        axes = axes[:, ::-1][:, :2]
        axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1, 1)  # a sign to rely on
        points = centred @ axes
        explained = float(variances[-2:].sum() / max(variances.sum(), 1e-12))
    elif method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(rows) - 1) / 3)
        points = TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(vectors)
    else:
        try:
            import umap
        except ImportError as error:
            raise ConfigError("UMAP needs the package umap-learn: pip install umap-learn.") from error
        points = umap.UMAP(random_state=seed).fit_transform(vectors)
    return Projection(np.asarray(points, np.float32), rows, method, count - len(rows), explained)


# -- association ----------------------------------------------------------------------------------------------------


class TracedReplay:
    """A tracker's records of any frame, in bounded memory.

    The whole trace of a crowded sequence takes gigabytes. So the sequence is tracked once without a trace, the tracker
    is copied every `every` frames, and the records around a frame are made from the copy before it.

    Parameters
    ----------
    outputs
        Kept outputs or public detections.
    config
        The settings.
    every
        Frames between two copies.

    Attributes
    ----------
    tracks : DataFrame
        As `track_outputs` returns them.
    """

    def __init__(self, outputs: Outputs, config: TrackerConfig, every: int = 32) -> None:
        from .association import Tracker, tracks_table

        self._arrays = outputs.arrays()
        self._every = every
        self._copies: list[bytes] = []
        self._window: dict[int, FrameRecord] = {}
        tracker = Tracker(config, outputs.frame_rate or 30.0)
        results = []
        for index in range(len(self._arrays.frames)):
            if index % every == 0:
                self._copies.append(pickle.dumps(tracker))
            results.append(tracker.update(self._frame(index)))
        self.tracks = tracks_table(results, self._arrays.offsets[:-1])
        self.tracks.attrs.update(sequence=outputs.name, length=outputs.length, frame_rate=outputs.frame_rate)

    def _frame(self, index: int) -> FrameOutputs:
        from .detection import FrameOutputs

        arrays = self._arrays
        rows = slice(arrays.offsets[index], arrays.offsets[index + 1])
        embeddings = None if arrays.embeddings is None else arrays.embeddings[rows]
        number = int(arrays.frames[index])
        return FrameOutputs(number, arrays.boxes[rows], arrays.scores[rows], embeddings, arrays.class_ids[rows])

    def record(self, frame: int) -> FrameRecord:
        """What the tracker saw and did in a frame.

        Raises
        ------
        OutputsError
            If the outputs do not hold the frame.
        """
        from .explanation import Trace

        if frame not in self._window:
            index = int(np.searchsorted(self._arrays.frames, frame))
            if index == len(self._arrays.frames) or self._arrays.frames[index] != frame:
                raise OutputsError(f"There are no outputs of frame {frame}; choose one of those that were kept.")
            first = index // self._every
            tracker = pickle.loads(self._copies[first])
            tracker.trace = Trace()
            start = first * self._every
            for i in range(start, min(start + self._every, len(self._arrays.frames))):
                tracker.update(self._frame(i))
            self._window = {record.frame: record for record in tracker.trace}
        return self._window[frame]


def pair_sentence(stage: StageRecord, row: int, column: int) -> str:
    """Why a track and a detection were, or were not, paired in one stage.

    Parameters
    ----------
    stage
        The stage.
    row, column
        Of its matrices.
    """
    from .kernels import GATE

    track, detection, cost = stage.tracks[row], stage.detections[column], float(stage.cost[row, column])
    parts = []
    if stage.appearance is not None:
        parts.append(f"distance of the embeddings {stage.appearance[row, column]:.3f}")
    if stage.gate is not None:
        gate = float(stage.gate[row, column])
        parts.append(f"motion {gate:.2f} ({'inside' if gate <= GATE else 'outside'} the gate of {GATE})")
    if stage.appearance is None:
        parts.append(f"IoU {1 - cost:.3f}")
    if np.isfinite(cost):
        parts.append(f"cost {cost:.3f} {'<=' if cost <= stage.limit else '>'} limit {stage.limit:g}")
    if stage.columns[row] == column:
        verdict = "paired"
    elif not np.isfinite(cost):
        verdict = "not paired: the motion forbids it"
    elif cost > stage.limit:
        verdict = "not paired: too far"
    else:
        rivals = []
        if stage.columns[row] >= 0:
            other = stage.columns[row]
            rivals.append(f"the track took detection {stage.detections[other]} at {stage.cost[row, other]:.3f}")
        if column in stage.columns:
            other = int(np.flatnonzero(stage.columns == column)[0])
            rivals.append(f"the detection went to track {stage.tracks[other]} at {stage.cost[other, column]:.3f}")
        verdict = "not paired: " + (" and ".join(rivals) or "leaving both alone costs less")
    return f"Track {track} and detection {detection}: {', '.join(parts)}; {verdict}."


def cell_sentences(record: FrameRecord, stage: int, row: int, column: int) -> list[str]:
    """All that is to be said about a cell: the pair, then what became of the track and of the detection."""
    from .explanation import explain

    found = record.stages[stage]
    sentences = [pair_sentence(found, row, column)]
    sentences += explain(record, track=int(found.tracks[row]))
    sentences += explain(record, detection=int(found.detections[column]))
    return list(dict.fromkeys(sentences))


# -- figures ---------------------------------------------------------------------------------------------------------

# What ThresholdLab shows: name, label, whether more is better (1), worse (-1).
FIGURES = (
    ("mota", "MOTA", 1),
    ("idf1", "IDF1", 1),
    ("hota", "HOTA", 1),
    ("num_switches", "ID switches", -1),
    ("num_false_positives", "false positives", -1),
    ("num_misses", "misses", -1),
)


def compare_figures(baseline: Mapping[str, float], candidate: Mapping[str, float]) -> pd.DataFrame:
    """The figures of two evaluations side by side.

    Parameters
    ----------
    baseline, candidate
        Figures by name: of `quick_figures`, or rows of `Evaluation.summary`.

    Returns
    -------
    DataFrame
        metric, label, baseline, candidate, difference, better (1: a larger value is better, -1: a smaller one).
    """
    rows = [
        {
            "metric": name,
            "label": label,
            "baseline": float(baseline[name]),
            "candidate": float(candidate[name]),
            "difference": float(candidate[name]) - float(baseline[name]),
            "better": better,
        }
        for name, label, better in FIGURES
        if name in baseline and name in candidate
    ]
    return pd.DataFrame(rows, columns=["metric", "label", "baseline", "candidate", "difference", "better"])


def compare_switches(baseline: pd.DataFrame, candidate: pd.DataFrame) -> pd.DataFrame:
    """Which ID switches vanish and which appear.

    Parameters
    ----------
    baseline, candidate
        `Evaluation.switches` of one sequence.

    Returns
    -------
    DataFrame
        change ("vanishes" or "appears"), then the columns of the switches; a switch is the same if it happens to the
        same person in the same frame. By frame.
    """
    keys = ["frame", "gt_id"]
    parts = []
    for change, ours, theirs in (("vanishes", baseline, candidate), ("appears", candidate, baseline)):
        known = set(theirs[keys].itertuples(index=False, name=None))
        mine = [key not in known for key in ours[keys].itertuples(index=False, name=None)]
        part = ours[np.array(mine, bool)].copy()
        part.insert(0, "change", change)
        parts.append(part)
    return pd.concat([part for part in parts if len(part)] or parts).sort_values(keys, kind="stable", ignore_index=True)


def switch_distances(switches: pd.DataFrame, outputs: Outputs, tracks: pd.DataFrame) -> np.ndarray:
    """How far the appearance of a person is apart before and after each ID switch.

    Parameters
    ----------
    switches
        `Evaluation.switches` of one sequence: frame, from_id, to_id, last_frame are used.
    outputs
        The network outputs that were tracked.
    tracks
        The tracks that were evaluated.

    Returns
    -------
    (N,) float64
        Cosine distance of the detection that carried `from_id` in `last_frame` and the one that carries `to_id` in
        `frame`; NaN where there is no such detection.
    """
    ids = label_detections(outputs, tracks)
    arrays = outputs.arrays()
    numbers = np.repeat(arrays.frames, np.diff(arrays.offsets))
    row_of = {key: row for row, key in enumerate(zip(numbers.tolist(), ids.tolist(), strict=True)) if key[1] >= 0}
    distances = np.full(len(switches), np.nan)
    embeddings = outputs.embeddings()
    wanted = switches[["last_frame", "from_id", "frame", "to_id"]].to_numpy(float)
    for i, (last, old, now, new) in enumerate(wanted.tolist()):
        before, after = row_of.get((last, old)), row_of.get((now, new))
        if before is not None and after is not None:
            distances[i] = 1 - cosine_matrix(embeddings[[before]], embeddings[[after]])[0, 0]
    return distances


def explained_switches(
    evaluation: Evaluation, name: str, outputs: Outputs | None = None, config: TrackerConfig | None = None
) -> tuple[pd.DataFrame, str]:
    """The ID switches of one sequence with all that is known about them.

    Parameters
    ----------
    evaluation, name
        The evaluation, and which of its sequences.
    outputs
        The network outputs that were tracked.
    config
        The settings that they were tracked with; by default those that the tracks carry.

    Returns
    -------
    switches : DataFrame
        `Evaluation.switches` of the sequence; with outputs, `why` and what else `explain_switches` says, and
        `distance` (see `switch_distances`).
    caveat : str
        Why there are no reasons, if outputs were given that do not lead to these tracks; else empty.
    """
    switches = evaluation.switches
    switches = switches[switches["sequence"] == name].reset_index(drop=True)
    if outputs is None:
        return switches, ""
    caveat = ""
    try:
        from .switch_reasons import explain_switches

        switches = explain_switches(evaluation, outputs, config, sequence=name).reset_index(drop=True)
    except EvaluationError as error:
        caveat = f"The reasons of the ID switches are not known: {error}"
    if outputs.has_embeddings:
        switches["distance"] = switch_distances(switches, outputs, evaluation.sequences[name].tracks)
    return switches, caveat


def config_line(config: TrackerConfig) -> str:
    """The settings as Python: those that differ from the defaults."""
    settings = config.settings()
    changed = {name: value for name, value in config.to_dict().items() if value != settings[name].default}
    return f"TrackerConfig({', '.join(f'{name}={value!r}' for name, value in changed.items())})"


@dataclass(frozen=True)
class Replay:
    """Tracks and their figures under one setting.

    Attributes
    ----------
    config : TrackerConfig
    tracks : DataFrame
    figures : dict
        As `quick_figures` gives them.
    seconds : float
        What tracking and counting took.
    evaluation : Evaluation or None
        Events, switches and all; made by `evaluate_replay`.
    """

    config: TrackerConfig
    tracks: pd.DataFrame
    figures: dict[str, float]
    seconds: float
    evaluation: Evaluation | None = None


def replay(outputs: Outputs, ground_truth: Any, config: TrackerConfig) -> Replay:
    """Track kept outputs with `config` and count.

    Parameters
    ----------
    outputs
        Kept outputs or public detections.
    ground_truth
        A table, or better what `evaluation.prepare` returns.
    config
        The settings.
    """
    from .association import track_outputs
    from .evaluation import quick_figures

    start = time.perf_counter()
    tracks = track_outputs(outputs, config)
    figures = quick_figures(tracks, ground_truth)
    return Replay(config, tracks, figures, time.perf_counter() - start)


def evaluate_replay(replayed: Replay, ground_truth: Any) -> Replay:
    """The same with its full evaluation."""
    from .evaluation import evaluate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FairMOTLabWarning)  # of a sequence without a match: the figures show it
        return replace(replayed, evaluation=evaluate(replayed.tracks, ground_truth))


# -- work behind a slider --------------------------------------------------------------------------------------------


class LatestWins:
    """Work in the background, always on the newest value: values that were overtaken are never computed.

    Parameters
    ----------
    stages
        Functions called one after the other in a thread: `first(value, None) -> result`, `next(value, result)`. Between
        them a newer value takes over, so the first should be the quick one.
    deliver
        `deliver(stage, value, result)` after each stage, counted from 0; `failed(value, error)` if one raised.
    post
        `post(callback)` runs a callback where results are wanted, such as an event loop; the thread itself by default.

    Attributes
    ----------
    computed : int
        How often the first stage was done.
    """

    def __init__(
        self,
        stages: Sequence[Callable[[Any, Any], Any]],
        deliver: Callable[[int, Any, Any], None],
        failed: Callable[[Any, Exception], None],
        post: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._stages, self._deliver, self._failed = list(stages), deliver, failed
        self._post = post or (lambda callback: callback())
        self._changed = threading.Condition()
        self._wanted: list[Any] = []
        self._busy = self._closed = False
        self._thread: threading.Thread | None = None
        self.computed = 0

    def submit(self, value: Any) -> None:
        """Want the result for `value`; what waited is forgotten."""
        with self._changed:
            if self._closed:
                return
            self._wanted = [value]
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="latest-wins", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is wanted or under way; False if that took longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._wanted and not self._busy, timeout)

    def close(self) -> None:
        """Forget what waits and end the thread once its current call returns; its result is dropped."""
        with self._changed:
            self._closed = True
            self._wanted = []
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closed)
                if self._closed:
                    return
                value = self._wanted.pop()
                self._busy = True
            try:
                self._run(value)
            except Exception as error:
                self._hand_over(self._failed, value, error)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _run(self, value: Any) -> None:
        result = None
        for number, stage in enumerate(self._stages):
            if number and (self._wanted or self._closed):
                return
            result = stage(value, result)
            self.computed += number == 0
            self._hand_over(self._deliver, number, value, result)

    def _hand_over(self, receiver: Callable[..., None], *arguments: Any) -> None:
        def callback() -> None:
            if not self._closed:
                receiver(*arguments)

        if not self._closed:
            self._post(callback)
