"""Statistics of embeddings: distances, projections, similarity maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from ..boxes import BOX, iou
from ..errors import ConfigError, EvaluationError

if TYPE_CHECKING:
    from ..detection.detections import Detections


def cosine_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute the cosine similarity (M, N) of (M, D) and (N, D) vectors; they need not have unit length.

    Examples
    --------
    >>> cosine_matrix(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 3.0]])).tolist()
    [[1.0, 0.0]]
    """
    return _unit(a) @ _unit(b).T


def similarity_map(embedding_map: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    """Compute the cosine similarity of one appearance vector with every cell of a frame.

    Parameters
    ----------
    embedding_map : (D, H, W)
        Appearance vectors of all cells.
    embedding : (D,)
        The vector looked for.

    Returns
    -------
    (H, W) float32, from -1 to 1

    Examples
    --------
    >>> similarity_map(np.ones((2, 3, 4)), np.array([1.0, 1.0])).shape
    (3, 4)
    """
    depth, height, width = embedding_map.shape
    flat = embedding_map.reshape(depth, -1)
    lengths = np.maximum(np.linalg.norm(flat, axis=0), 1e-12)
    vector = np.asarray(embedding, np.float32) / max(float(np.linalg.norm(embedding)), 1e-12)
    return (vector @ flat / lengths).reshape(height, width).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def label_detections(detections: Detections, table: pd.DataFrame, min_iou: float = 0.5) -> np.ndarray:
    """Give each detection the id of the track or person it covers.

    Parameters
    ----------
    detections
        Detections of a sequence.
    table
        Tracks, or ground truth (rows with conf 0 are not used). Tracks with a column `det` say it themselves.
    min_iou
        Smallest overlap of a detection with its box.

    Returns
    -------
    (T,) int64
        An id per row of `detections.table()`, -1 where none; in each frame an id at most once, the sum of overlaps
        being as large as can be.

    Examples
    --------
    >>> scene = fl.example()
    >>> label_detections(scene.detections, scene.ground_truth)[:4].tolist()
    [1, 2, 1, 2]
    """
    if not 0 < min_iou <= 1:
        raise EvaluationError(f"min_iou is {min_iou}; it must be above 0, up to 1.")
    ids = np.full(len(detections.scores), -1, np.int64)
    if "det" in table:  # tracks made from these detections know their rows
        taken = table[table["det"] >= 0]  # a predicted box has none
        ids[taken["det"]] = taken["id"]
        return ids
    used = table[table["conf"] != 0] if "conf" in table else table
    in_frame = {int(part["frame"].iloc[0]): part for _, part in used.groupby("frame")}
    for i, number in enumerate(detections.frames):
        part = in_frame.get(int(number))
        if part is None:
            continue
        first, last = detections.offsets[i], detections.offsets[i + 1]
        overlap = iou(detections.boxes[first:last], part[BOX].to_numpy())
        overlap[overlap < min_iou] = 0
        rows, columns = linear_sum_assignment(-overlap)
        good = overlap[rows, columns] > 0
        ids[first + rows[good]] = part["id"].to_numpy()[columns[good]]
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
        """Return edges (bins + 1,), and the counts (bins,) of same and different pairs."""
        largest = max([1.0, *(float(part.max()) for part in (self.same, self.different) if len(part))])
        edges = np.linspace(0.0, largest, bins + 1)
        return edges, np.histogram(self.same, edges)[0], np.histogram(self.different, edges)[0]

    def accepted(self, threshold: float) -> tuple[float, float]:
        """Return the shares of same and of different pairs whose distance is at most `threshold`; NaN without pairs."""

        def share(distances: np.ndarray) -> float:
            return float((distances <= threshold).mean()) if len(distances) else float("nan")

        return share(self.same), share(self.different)


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

    Examples
    --------
    >>> scene = fl.example()
    >>> ids = label_detections(scene.detections, scene.ground_truth)
    >>> frames = scene.detections.table()["frame"]
    >>> distances = embedding_distances(scene.detections.embeddings(), ids, frames)
    >>> round(float(distances.same.max()), 2), round(float(distances.different.min()), 2)
    (0.0, 0.96)
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
    """Compute the chance that a distance in `same` is below one in `different`, ties half (Mann-Whitney U).

    NaN if one of them is empty.
    """
    from scipy.stats import mannwhitneyu

    if not len(same) or not len(different):
        return float("nan")
    statistic = mannwhitneyu(different, same, method="asymptotic").statistic
    return float(statistic / (len(different) * len(same)))


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

    Examples
    --------
    >>> project(np.eye(4), "pca").points.shape
    (4, 2)
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


def switch_distances(switches: pd.DataFrame, detections: Detections, tracks: pd.DataFrame) -> np.ndarray:
    """Measure how far the appearance of a person is apart before and after each ID switch.

    Parameters
    ----------
    switches
        `Evaluation.switches` of one sequence: frame, from_id, to_id, last_frame are used.
    detections
        The detections that were tracked.
    tracks
        The tracks that were evaluated.

    Returns
    -------
    (N,) float64
        Cosine distance of the detection that carried `from_id` in `last_frame` and the one that carries `to_id` in
        `frame`; NaN where there is no such detection.

    Examples
    --------
    >>> scene = fl.example()
    >>> result = fl.evaluate(scene.tracks, scene.ground_truth)
    >>> switch_distances(result.switches, scene.detections, scene.tracks).round(2).tolist()
    [0.0, 0.0]
    """
    ids = label_detections(detections, tracks)
    numbers = np.repeat(detections.frames, np.diff(detections.offsets))
    row_of = {key: row for row, key in enumerate(zip(numbers.tolist(), ids.tolist(), strict=True)) if key[1] >= 0}
    distances = np.full(len(switches), np.nan)
    embeddings = detections.embeddings()
    wanted = switches[["last_frame", "from_id", "frame", "to_id"]].to_numpy(float)
    for i, (last, old, now, new) in enumerate(wanted.tolist()):
        before, after = row_of.get((last, old)), row_of.get((now, new))
        if before is not None and after is not None:
            distances[i] = 1 - cosine_matrix(embeddings[[before]], embeddings[[after]])[0, 0]
    return distances
