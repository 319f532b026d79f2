"""PaddleDetection's form of BYTE (`use_byte` of its JDETracker): low scores are offered in the second stage.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022. PaddleDetection's form
has no score fusion, a second stage at 0.4 and IoU that counts whole pixels; `bytetrack` is the published one.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from .assignment import Pairs
from .jde import JDETracker, Observations, PPDetSettings
from .settings import check_low_score, number

SECOND_COST = 0.4  # fixed in ppdet


@dataclasses.dataclass(frozen=True, kw_only=True)
class PPDetByteSettings(PPDetSettings):
    """Settings of `PPDetByteTracker`; a detection with a score below conf_thres + 0.1 starts no track."""

    low_conf_thres: float = number(
        0.2, 0, 1, (0.05, 0.3), "detections with a score at most this are not used", is_score=True
    )

    def check_together(self) -> None:
        """Refuse thresholds between which no score is low."""
        check_low_score("low_conf_thres", self.low_conf_thres, "conf_thres", self.conf_thres)


class PPDetByteTracker(JDETracker):
    """PaddleDetection's BYTE: the tracks that the first stage leaves are offered the detections of low score.

    It works on boxes alone, as BYTE is published, and compares embeddings and motion in the first stage where there are
    embeddings.
    """

    name = "ppdet_byte"
    title = "BYTE, in PaddleDetection's form"
    Settings = PPDetByteSettings

    def _reset(self) -> None:
        super()._reset()
        self.min_score = self.settings.low_conf_thres

    def check_embeddings(self, present: bool) -> None:
        """Accept both."""

    @property
    def _birth_score(self) -> tuple[float, str]:
        return self.settings.conf_thres + 0.1, "conf_thres + 0.1 ="

    def _second_stage(self, unseen: np.ndarray, first: Pairs, frame: Observations) -> tuple[Pairs, np.ndarray]:
        low = np.flatnonzero(self._is_low(frame.scores))
        return self._iou_stage("second stage", unseen, low, frame, SECOND_COST, ""), first.rows_left

    def _is_low(self, scores: np.ndarray) -> np.ndarray:
        low, high = np.float32(self.settings.low_conf_thres), np.float32(self.settings.conf_thres)
        return (scores > low) & (scores < high if self.settings.ppdet_quirks else scores <= high)

    def _note_scores(self, scores: np.ndarray) -> None:
        settings, is_low = self.settings, self._is_low(scores)
        for row in np.flatnonzero(~(scores > np.float32(settings.conf_thres))).tolist():
            words = f"has score {scores[row]:.2f} <= conf_thres {settings.conf_thres:g}"
            if is_low[row]:
                self._note_unused(row, f"{words}: BYTE offers it in the second stage only.", "low score")
            elif scores[row] > np.float32(settings.low_conf_thres):
                self._note_unused(
                    row, f"{words} and not below: ppdet's BYTE leaves it out (ppdet_quirks=False repairs that)."
                )
            else:
                self._note_unused(row, f"{words} and <= low_conf_thres {settings.low_conf_thres:g}: it was not used.")
