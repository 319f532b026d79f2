"""EmbeddingExplorer: what the tracker knows about looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import pandas as pd
from traitlets import Enum, Float, Int

from ..detection.cache import as_detections
from ..diagnosis.embeddings import cosine_matrix, embedding_distances, label_detections, project, similarity_map
from ..diagnosis.peaks import detection_at
from ..errors import ConfigError, DetectionsError, ViewError
from .base import floats
from .checks import refuse_other_table
from .overlay import Overlay
from .page import Page
from .parts import (
    HistogramView,
    MatrixView,
    ScatterView,
    beside,
    colours,
    counted,
    crops,
    heading,
    heading_html,
    in_a_row,
)
from .player import PlayerPanel, TrackPlayer

if TYPE_CHECKING:
    from ..detection.detections import Detections
    from ..detection.detector import Detector


METHODS = ("pca", "tsne", "umap")


class EmbeddingExplorer(PlayerPanel):
    """Appearance vectors in the plane, compared in a matrix, measured in histograms, and searched for in a frame.

    Parameters
    ----------
    source
        The frames: for crops, the player and the similarity map. None for the figures alone.
    detections
        Kept detections with embeddings.
    ground_truth, tracks
        Whose each detection is: ground truth is matched by overlap (IoU at least 0.5), tracks know their detections.
        With both, the ground truth says it, and the player shows both.
    model
        The network that made the detections: the similarity map needs its dense embedding map.
    player
        A TrackPlayer to move along with; one of its own is made if there is a source and no player is given.
    **traits
        Start values of the traits.

    Attributes
    ----------
    frame : int
        The frame on show, which is also the rows of the cosine matrix.
    other_frame : int
        The columns of the cosine matrix, and the frame of the similarity map.
    selected_id : int or None
        The identity that stands out everywhere.
    threshold : float
        Cosine distance; the line in the histograms, and the mark in the matrix.
    method : str
        How the plane is made: "pca", "tsne" or "umap" (needs umap-learn).
    min_score : float
        Detections with a lower score are left out everywhere, since the network keeps many that no tracker uses.
    query : (frame, row) or None
        The detection whose looks are searched for; set by a click on a person in the player.
    ids : (T,) int64
        Identity per detection, -1 for none. `distances`: `EmbeddingDistances`; `projection`:
        `Projection`.
    similarity : (H/4, W/4) float32 or None
        The similarity map on show.

    Raises
    ------
    DetectionsError
        If the detections come without embeddings.

    Examples
    --------
    >>> scene = fl.example()
    >>> explorer = EmbeddingExplorer(detections=scene.detections, ground_truth=scene.ground_truth)
    >>> explorer.scatter.title
    '78 embeddings, PCA, 100% of the variance'
    >>> explorer.close()
    """

    other_frame = Int(2)
    selected_id = Int(None, allow_none=True)
    threshold = Float(0.4)
    method = Enum(METHODS, "pca")
    min_score = Float(0.4)

    def __init__(
        self,
        source: Any = None,
        *,
        detections: Detections,
        ground_truth: pd.DataFrame | None = None,
        tracks: pd.DataFrame | None = None,
        model: Detector | None = None,
        player: TrackPlayer | None = None,
        **traits: Any,
    ) -> None:
        detections = as_detections(detections)
        detections.embeddings()  # refuse detections that come without
        labels = ground_truth if ground_truth is not None else tracks
        if labels is None:
            raise ViewError("EmbeddingExplorer needs ground_truth= or tracks=, which say whose each detection is.")
        refuse_other_table("ground truth" if labels is ground_truth else "tracks", labels, detections.name, 0)
        numbers = [int(n) for n in detections.frames]
        if not numbers:
            raise DetectionsError(f"{detections.name} holds no frames yet, so there are no embeddings to show.")
        frame = traits.get("frame", player.frame if player is not None else numbers[0])
        later = [number for number in numbers if number > frame]
        start = {"frame": frame, "other_frame": later[0] if later else numbers[max(0, len(numbers) - 2)], **traits}
        super().__init__(**start)
        self.detections, self.model = detections, model
        self.query: tuple[int, int] | None = None
        self.similarity: np.ndarray | None = None
        self.ids = label_detections(detections, labels)
        self._frames = np.repeat(detections.frames, np.diff(detections.offsets))
        self.scatter = ScatterView()
        self.histogram = HistogramView(title="Cosine distance of pairs of detections")
        self.matrix = MatrixView(row_name="detection", column_name="detection", accept_below=False)
        made = self._join(source, player, detections, start, tracks=tracks, ground_truth=ground_truth)
        self.map: TrackPlayer | None = None

        controls = self._make_controls(max(numbers))
        self._link("selected_id" if ground_truth is None else "selected_gt_id")
        self._arrange(controls, made)
        self._guard(self._measure)()
        if self.map is not None and len(detections.frame(self.frame)):
            mine = np.flatnonzero(self.ids[self._frames == self.frame] == self.selected_id)
            # the person who is selected, else the best detection, until another is clicked
            self._guard(self.search)(self.frame, int(mine[0]) if len(mine) else 0)

    def _make_controls(self, last: int) -> ipywidgets.Widget:
        method = ipywidgets.Dropdown(
            options=METHODS, value=self.method, description="plane", tooltip="how the plane is made"
        )
        other = ipywidgets.BoundedIntText(
            self.other_frame, min=1, max=last, description="other frame", tooltip="columns of the cosine matrix"
        )
        words = {"description": "min score", "tooltip": "leave out detections below it"}
        least = ipywidgets.FloatSlider(self.min_score, min=0.0, max=1.0, step=0.01, continuous_update=False, **words)
        self._tie(self, "min_score", least, "value")
        self._tie(self, "method", method, "value")
        self._tie(self, "other_frame", other, "value")
        return in_a_row(method, least, other)

    def _link(self, who: str) -> None:
        """Tie the parts, and to the player, in which `who` is the trait of the identity."""
        self._tie(self, "frame", self.scatter)
        self._tie(self, "selected_id", self.scatter)
        self._tie(self, "threshold", self.histogram)
        if self.player is not None:
            self._tie(self.player, who, self, "selected_id")
            self.player.on_frame_click(self._guard(self._ask))
        self.scatter._handlers["crop"] = self._send_crop
        self._watch(self, "method", self._project)
        self._watch(self, "min_score", self._measure)
        self._watch(self, ["frame", "other_frame", "active"], self._compare_frames)
        self._watch(self, "threshold", self._say_threshold)

    def _arrange(self, controls: ipywidgets.Widget, made: list[TrackPlayer]) -> None:
        """Put the parts together, with the similarity map where there are frames and a network."""
        upper: list[ipywidgets.Widget] = [*made, self.scatter]
        lower: list[ipywidgets.Widget] = [self.histogram, self.matrix]
        if self.source is not None and self.model is not None:
            self.map = TrackPlayer(self.source, overlay=self._map_overlay, prefetch=0, frame=self.other_frame)
            self.map.overlay_colours = colours("inferno")
            self.map.overlay_floor = 0.5  # where the line is drawn
            self.map.overlay_gamma = 1.5  # most places look a little alike: let the best stand out
            self._tie(self, "other_frame", self.map, "frame")
            self._map_title = heading("")
            upper = [*made, ipywidgets.VBox([self._map_title, self.map])]
            lower = [self.scatter, *lower]
        if made:
            self.add_class("fml-low")  # the whole fits a window of 900 pixels
        self.children = [self._banner, controls, beside(*upper), beside(*lower, least="340px")]

    def _measure(self) -> None:
        """All that depends on which detections count."""
        self._used = np.flatnonzero(self.detections.scores >= self.min_score)
        embeddings = self.detections.embeddings()[self._used]
        self.distances = embedding_distances(embeddings, self.ids[self._used], self._frames[self._used])
        self._show_histogram()
        self._project()
        self._compare_frames()

    # -- plane --------------------------------------------------------------------------------------------------------

    def _project(self) -> None:
        self.error = ""
        self.projection = project(self.detections.embeddings()[self._used], self.method)
        self._rows = rows = self._used[self.projection.rows]
        with self.scatter.hold_sync():
            self.scatter.active = -1
            kept = f", {self.projection.explained:.0%} of the variance" if self.projection.method == "pca" else ""
            self.scatter.title = f"{counted(len(rows), 'embedding')}, {self.projection.method.upper()}{kept}"
            left = self.projection.left_out
            self.scatter.note = f"{left} more embeddings are not drawn (a random sample is)." if left else ""
            points = np.column_stack((self.projection.points, self.ids[rows], self._frames[rows]))
            self.scatter.points = floats(points)

    def _send_crop(self, content: dict, _: list) -> None:
        row = int(self._rows[int(content["index"])])
        picture = self.crop(row)
        if picture:
            self.scatter.send({"kind": "crop", "index": content["index"]}, [picture])

    def crop(self, row: int, height: int = 88) -> bytes:
        """Return the picture of a detection (row of `detections.table()`) as JPEG bytes; empty without a source."""
        return crops(self.source, [self._frames[row]], self.detections.boxes[[row]], height)[0]

    # -- distances ----------------------------------------------------------------------------------------------------

    def _show_histogram(self) -> None:
        edges, same, different = self.distances.histogram()
        with self.histogram.hold_sync():
            self.histogram.edges, self.histogram.same = floats(edges), floats(same)
            self.histogram.different = floats(different)
            sampled = "A random sample of all pairs. " if self.distances.sampled else ""
            unknown = int((self.ids[self._used] < 0).sum())
            weak = len(self.ids) - len(self._used)
            self.histogram.note = (
                f"{sampled}{unknown} of {len(self._used)} detections belong to nobody and are not counted; "
                f"{weak} with a score below {self.min_score:.2f} are left out everywhere."
            )
        self._say_threshold()

    def _say_threshold(self) -> None:
        found = self.distances
        same, different = found.accepted(self.threshold)
        unknown = f"unknown (nobody is seen {found.gap} frames later)"
        ranked = f"{found.rank1:.3f} ({found.gap} frames later, {found.queries} queries)"
        self.histogram.text = (
            f"AUC {found.auc:.4f}, rank-1 {ranked if found.queries else unknown}."
            f" Distance at most {self.threshold:.2f}: {same:.1%} of same pairs, {different:.2%} of different pairs."
        )
        self.matrix.limit = 1 - self.threshold

    # -- two frames ---------------------------------------------------------------------------------------------------

    def _detections_of(self, number: int) -> np.ndarray:
        return self._used[self._frames[self._used] == number]

    def _compare_frames(self) -> None:
        if not self.active:
            return
        self.error = ""
        rows, columns = self._detections_of(self.frame), self._detections_of(self.other_frame)
        embeddings, boxes = self.detections.embeddings(), self.detections.boxes
        values = cosine_matrix(embeddings[rows], embeddings[columns])
        same = (self.ids[rows][:, None] == self.ids[columns][None]) & (self.ids[rows][:, None] >= 0)
        both = np.concatenate((rows, columns))
        pictures = crops(self.source, self._frames[both], boxes[both], 64)
        self.matrix.show(
            values,
            [_name(self.ids[row]) for row in rows],
            [_name(self.ids[row]) for row in columns],
            pairs=np.argwhere(same).tolist(),
            row_crops=pictures[: len(rows)],
            column_crops=pictures[len(rows) :],
            title=f"Cosine similarity of frame {self.frame} (down) and frame {self.other_frame} (across)",
            hint="Double frames: the same person. Dotted: closer than the threshold.",
            low=min(0.0, float(values.min(initial=0))),
        )

    # -- similarity map -----------------------------------------------------------------------------------------------

    def _ask(self, frame: int, x: float, y: float) -> None:
        """A click on a person: search for them."""
        if self.map is None:
            return
        row = detection_at(self.detections.frame(frame), x, y)
        if row is not None:
            self.search(frame, row)

    def search(self, frame: int, row: int) -> None:
        """Show where in `other_frame` it looks like detection `row` of `frame`.

        Raises
        ------
        ConfigError
            If the explorer was made without a source or a model.
        """
        if self.map is None:
            raise ConfigError("The similarity map needs frames and the network: give source= and model=.")
        self.query = (frame, row)
        self._map_title.value = heading_html(
            f"Similarity map: how much each place looks like detection {row} of frame {frame}; "
            "click another person in the player"
        )
        self.map.refresh()

    def _map_overlay(self, number: int) -> Overlay:
        box = self.detections.frame(number).letterbox
        if box is None:
            raise DetectionsError(f"Frame {number} has no heatmap cells, so there is no similarity map.")
        if self.query is None:
            return Overlay(None, box)
        vector = self.detections.frame(self.query[0]).embeddings[self.query[1]]  # type: ignore[index]
        dense = self.detections.embedding_map(number, self.source, self.model)  # type: ignore[arg-type]
        self.similarity = similarity_map(dense, vector)
        return Overlay(self.similarity, box, low=min(0.0, float(self.similarity.min())), label="cosine")

    # -- without a kernel ---------------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """Return the figures, and the frame on show."""
        return self._player_html() + self.histogram.saved_html() + self.scatter.saved_html()

    def page(self, *, max_mb: float = 8.0, max_width: int = 800, **options: Any) -> Page:
        """Return a page without kernel; see `to_html`. Up to 300 points have a crop."""
        page = Page(f"{self.detections.name}: EmbeddingExplorer", max_mb=max_mb)
        rows = self._rows
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(300, len(rows))).astype(int)) if self.source else []
        boxes = self.detections.boxes
        pictures = crops(self.source, self._frames[rows[chosen]], boxes[rows[chosen]], 64) if len(chosen) else []
        held = {str(i): picture for i, picture in zip(chosen, pictures, strict=True)}
        if len(held) < len(rows):
            page.left_out(f"the crops of {len(rows) - len(held)} of {len(rows)} points")
        page.left_out("the cosine matrices of other pairs of frames")
        self.scatter.add_to(page, changes={"crops": held})
        self.histogram.add_to(page, group="numbers")
        self.matrix.add_to(page, group="numbers")
        if self.map is not None:
            self.map.add_frames_to(
                page, frames=[self.other_frame], max_width=max_width, title="Similarity map", links={"frame": ""}
            )
        self._add_player_to(page, max_width=max_width, **options)
        return page


def _name(identity: int) -> str:
    return str(identity) if identity >= 0 else "–"
