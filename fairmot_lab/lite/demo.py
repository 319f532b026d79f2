"""The rendered sequences that demo, notebooks and docs use."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ConfigError
from .scenes import SceneConfig, write_sequence
from .training_data import TRAINING_SEED

# The scene of the notebooks: of seven seeds the one in which the default tracker makes a swap and takeovers, the best
# conf_thres by MOTA is not the best by IDF1, and the fullest frame is not the first.
TOUR_SEED, TOUR = 2, SceneConfig(length=200, frame_rate=12, people=16, spread=1)


def make_sequence(
    folder: str | os.PathLike[str] = "data", seed: int = 0, config: SceneConfig | None = None, *, progress: bool = True
) -> Path:
    """Render the demo sequence of a seed to `folder/demo-SEED`, unless it is there already, and return that path.

    `config` is what the scene is like, if not as `SceneConfig` has it; `scenes.write_sequence` says what is written.
    ConfigError if the path holds something else, or the seed is not below 1,000,000: others were trained on.
    """
    if not 0 <= seed < TRAINING_SEED:
        raise ConfigError(f"The seed is {seed}; give one from 0 to {TRAINING_SEED - 1}: others were trained on.")
    return write_sequence(seed, config or SceneConfig(), Path(folder) / f"demo-{seed}", progress=progress)


def make_tour(folder: str | os.PathLike[str] = "data", *, progress: bool = True) -> Path:
    """Render the sequence that the notebooks take apart, `folder/tour`, unless it is there already."""
    return write_sequence(TOUR_SEED, TOUR, Path(folder) / "tour", progress=progress)
