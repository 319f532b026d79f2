"""Fit frames into the network's input: scaled, centred, padded with grey."""

from __future__ import annotations

import cv2
import numpy as np

from ..data import Letterbox

GREY = 127.5


def letterbox(image: np.ndarray, input_size: tuple[int, int]) -> tuple[np.ndarray, Letterbox]:
    """Fit a frame into the network's input: scaled (area interpolation), grey borders, RGB, 0..1, channels first.

    Parameters
    ----------
    image : (H, W, 3) uint8
        A frame, blue first.
    input_size
        (width, height) of the network's input.

    Returns
    -------
    blob : (1, 3, height, width) float32
    box : Letterbox

    Notes
    -----
    Equal to PaddleDetection's `LetterBoxResize`, `NormalizeImage` and `Permute` with the settings of its FairMOT
    models.
    """
    box = Letterbox.fit((image.shape[1], image.shape[0]), input_size)
    size = box.content_size
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if size != tuple(input_size):
        left, top = round(box.pad_x - 0.1), round(box.pad_y - 0.1)  # an odd border is one pixel wider on the far side
        right, bottom = input_size[0] - size[0] - left, input_size[1] - size[1] - top
        resized = cv2.copyMakeBorder(resized, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(GREY,) * 3)
    return cv2.dnn.blobFromImage(resized, 1 / 255, swapRB=True), box
