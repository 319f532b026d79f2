"""PaddleHub's module `fairmot_dla34`: the same calls, files and command line, on fairmot_lab.

    import fairmot_lab.contrib.paddlehub as hub          # instead of: import paddlehub as hub
    tracker = hub.Module(name="fairmot_dla34")

    python -m fairmot_lab.contrib.paddlehub run fairmot_dla34 --video_stream clip.avi          # instead of: hub run ...

docs/paddlehub.md lists what is equal and which faults of the original are repaired.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from .._files import atomic_write, file_name, lock, make_folder, refuse_overwrite, write_text
from ..data import FrameTracks
from ..detection.download import find_weights
from ..detection.model import load_model
from ..detection.zoo import find_card
from ..drawing import FrameAnnotator
from ..errors import DownloadError, EngineError, FairMOTLabError, HubError
from ..pipeline import TextWriter, above, check_threshold, recommended_tracker, stream
from ..sources.base import Frame
from ..sources.images import encode_jpeg
from ..sources.open import open_source
from ..video_writer import MotionJpegWriter

NAME, VERSIONS = "fairmot_dla34", ("1.0.0", "1.1.0")
WEIGHTS = "fairmot_dla34_30e_1088x608"
STREAM_NAME = "inputimages"
_BUNDLED_HINT = (
    "to use the bundled compact model instead, pass weights='fairmot_lite' (--weights fairmot_lite) or set "
    "FAIRMOT_LAB_MODEL=fairmot_lite."
)


def Module(  # PaddleHub's name
    name: str | None = None,
    version: str | None = None,
    *,
    directory: str | os.PathLike[str] | None = None,
    source: str | None = None,
    update: bool = False,
    branch: str | None = None,
    ignore_env_mismatch: bool = False,
    weights: str | os.PathLike[str] | None = None,
) -> FairmotTracker_1088x608:
    """Return PaddleHub's module, as `hub.Module(name="fairmot_dla34")` does.

    Parameters
    ----------
    name
        "fairmot_dla34".
    version
        "1.0.0" or "1.1.0"; they differ in nothing here.
    directory
        The folder of an installed module of PaddleHub, in place of a name: its weights are used.
    source, update, branch, ignore_env_mismatch
        PaddleHub's way to get a module from a git repository; accepted, and not needed.
    weights
        Other weights: a model's name or a file, as `load_model` takes them. Unless given, the environment variable
        FAIRMOT_LAB_MODEL names them, and unless it is set they are the official ones, downloaded at first use.

    Raises
    ------
    HubError
        If it is another module or version of PaddleHub, or the folder holds no weights.
    DownloadError
        If the official weights are not there and cannot be fetched; it says how to use the bundled model.

    Examples
    --------
    >>> Module(name="fairmot_dla34", weights="fairmot_lite").is_runnable
    True
    """
    if name is None and directory is not None:
        weights = weights or Path(directory) / f"{WEIGHTS}.pdparams"
        if not Path(weights).is_file():
            raise HubError(f"{directory} holds no {WEIGHTS}.pdparams; give hub.Module(name='fairmot_dla34').")
        name = NAME
    if name is None:
        raise HubError("A module needs a name; give hub.Module(name='fairmot_dla34').")
    if name == "jde_darknet53":
        raise HubError(
            "jde_darknet53 is another network (JDE) and is not served; use hub.Module(name='fairmot_dla34')."
        )
    if name != NAME:
        raise HubError(f"There is no module {name!r} here; use 'fairmot_dla34'.")
    if version not in (None, *VERSIONS):
        raise HubError(f"There is no version {version} of {NAME}; there are {' and '.join(VERSIONS)}.")
    module = FairmotTracker_1088x608(weights)
    module.version = version or VERSIONS[-1]
    return module


class FairmotTracker_1088x608:
    """The module: `tracking` for a video, `stream_mode` and `predict` for images.

    Parameters
    ----------
    weights
        As for `Module`.

    Attributes
    ----------
    name, version, author, author_email, summary, type : str
        As PaddleHub gives them.
    directory : str
        The folder of the weights.
    source, branch : str
        Empty.
    is_runnable : bool
        True: `run_cmd` runs it as a command.
    """

    name, author, author_email = NAME, "paddlepaddle", ""
    summary, type = "Fairmot is a model for multiple object tracking.", "CV/multiple_object_tracking"
    version, source, branch, is_runnable = VERSIONS[-1], "", "", True

    def __init__(self, weights: str | os.PathLike[str] | None = None) -> None:
        self.weights = weights or os.environ.get("FAIRMOT_LAB_MODEL") or WEIGHTS
        try:
            found = find_weights(self.weights)
        except DownloadError as error:
            raise DownloadError(f"{str(error).rstrip('.')}; {_BUNDLED_HINT}") from error
        self.directory = str(found.path.parent)
        self._models: dict[bool, Any] = {}
        self._settings: dict[str, Any] | None = None
        self._session: _Session | None = None

    def run_cmd(self, argvs: Sequence[str]) -> None:
        """Run the module as a command, with the options of `hub run fairmot_dla34`.

        Raises
        ------
        HubError
            If there is no `--video_stream`, or an option is unknown.
        """
        options = vars(_run_parser().parse_args(list(argvs)))
        if not options["video_stream"]:
            raise HubError("--video_stream should be set.")
        self.mot_predict(**options)

    def mot_predict(
        self,
        video_stream: str | int,
        output_dir: str = "",
        visualization: bool = True,
        draw_threshold: float = 0.5,
        use_gpu: bool = False,
        from_device: bool = False,
    ) -> None:
        """Track a video into files, as version 1.0.0 of the module calls it; parameters as of `tracking`.

        Parameters
        ----------
        video_stream, output_dir, visualization, draw_threshold, use_gpu
            As of `tracking`; the files go into the working folder unless `output_dir` is given.
        from_device
            Whether `video_stream` is a camera number.

        Raises
        ------
        HubError
            If it is to be a camera number and is none.
        """
        if from_device and not str(video_stream).isdecimal():
            raise HubError(f"video_stream is {video_stream!r}; with from_device it must be a camera number such as 0.")
        self.tracking(
            int(video_stream) if from_device else video_stream, output_dir, visualization, draw_threshold, use_gpu
        )

    def tracking(
        self,
        video_stream: str | int,
        output_dir: str = "mot_result",
        visualization: bool = True,
        draw_threshold: float = 0.5,
        use_gpu: bool = False,
    ) -> None:
        """Track a video into files.

        Parameters
        ----------
        video_stream
            A video file, a camera number, or anything else that `open_source` takes.
        output_dir
            Where the files go: `mot_results/SEQ.txt`, and with `visualization` `mot_outputs/SEQ/00000.jpg` ... and
            `mot_outputs/SEQ_vis.avi`.
        visualization
            Whether annotated frames and the video are written.
        draw_threshold
            Rows with a lower score are neither written nor drawn.
        use_gpu
            Run on the GPU.
        """
        check_threshold("draw_threshold", draw_threshold)
        source = open_source(video_stream)
        model = self._load(use_gpu)
        results = stream(source, model=model, score_threshold=draw_threshold)
        with _Files(output_dir, source.name, source.frame_rate, visualization, source.inputs()) as files:
            for result in results:
                files.add(result.frame, result.frame_tracks)

    def stream_mode(
        self,
        output_dir: str = "mot_result",
        visualization: bool = True,
        draw_threshold: float = 0.5,
        use_gpu: bool = False,
    ) -> FairmotTracker_1088x608:
        """Prepare for `predict`, to be used in a `with` block; parameters as of `tracking`. SEQ is `inputimages`."""
        check_threshold("draw_threshold", draw_threshold)
        self._settings = {
            "output_dir": output_dir,
            "visualization": visualization,
            "draw_threshold": draw_threshold,
            "use_gpu": use_gpu,
        }
        return self

    def __enter__(self) -> FairmotTracker_1088x608:
        if self._settings is None:
            raise HubError("This is not a context manager by itself; write: with tracker.stream_mode(...) as tracker.")
        if self._session is not None:
            raise HubError("The stream mode is on already; leave its block before it is entered again.")
        self._session = _Session(self._load(self._settings.pop("use_gpu")), **self._settings)
        self._settings = None
        return self

    def __exit__(self, *error: Any) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.files.__exit__(*error)

    def predict(
        self,
        images: Sequence[np.ndarray] = [],  # PaddleHub's default; nothing is added to it
    ) -> list[tuple[int, list[np.ndarray], list[float], list[int]]] | None:
        """Track the next images of a stream, inside the block of `stream_mode`.

        Parameters
        ----------
        images
            BGR arrays, (H, W, 3) uint8, all of one size.

        Returns
        -------
        list of tuple
            For each image `(frame_id, [tlwh, ...], [score, ...], [track_id, ...])`; `frame_id` counts from 1 and goes
            on over the calls inside one block, `tlwh` is x, y, width, height in pixels. None, after a note, if there
            are no images.

        Raises
        ------
        HubError
            Outside the block, or if an image has another size than the first.
        """
        if self._session is None:
            raise HubError("predict() works inside the stream mode; write: with tracker.stream_mode(...) as tracker.")
        if images is None:
            raise HubError("predict() was given no list of images; give one, which may be empty.")
        if len(images) == 0:
            print("No images provided.")  # noqa: T201, PaddleHub's words
            return None
        self._session.check_sizes(images)
        source = open_source(images if isinstance(images, np.ndarray) else list(images))
        return [self._session.step(source.image(number)) for number in range(1, len(source) + 1)]

    def _load(self, use_gpu: bool) -> Any:
        if use_gpu not in self._models:
            try:
                self._models[use_gpu] = load_model(self.weights, device="gpu" if use_gpu else "cpu")
            except EngineError as error:
                if not use_gpu:
                    raise
                reason = str(error).removesuffix("; give device='cpu'.").rstrip(".")
                raise EngineError(f"{reason}; leave out use_gpu.") from error
        return self._models[use_gpu]


class _Session:
    """The state of one block of stream mode."""

    def __init__(self, model: Any, output_dir: str, visualization: bool, draw_threshold: float) -> None:
        self.model = model
        self.tracker = recommended_tracker(model).clone()
        self.files = _Files(output_dir, STREAM_NAME, self.tracker.frame_rate, visualization)
        self.draw_threshold = draw_threshold
        self._count = 0
        self._size: tuple[int, ...] | None = None

    def check_sizes(self, images: Any) -> None:
        """Refuse images of another size than the first of the block."""
        sizes = [np.shape(image)[:2] for image in images]
        first = self._size or sizes[0]
        for number, size in enumerate(sizes, self._count + 1):
            if size != first and len(size) == 2:
                raise HubError(
                    f"Image {number} is {size[1]}x{size[0]}, but those before are {first[1]}x{first[0]}; give images "
                    "of one size, or begin a new block."
                )

    def step(self, image: np.ndarray) -> tuple[int, list[np.ndarray], list[float], list[int]]:
        self.check_sizes([image])
        self._size = image.shape[:2]
        self._count += 1
        outputs = self.model(image, frame=self._count)
        tracks = above(self.tracker.update(outputs), self.draw_threshold)
        self.files.add(Frame(self._count, image, (self._count - 1) / self.tracker.frame_rate), tracks)
        return self._count, list(tracks.boxes), tracks.scores.tolist(), tracks.ids.tolist()


class _Files:
    """PaddleHub's files of one sequence; used in a `with` block, finished at its end and when the user interrupts."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        name: str,
        frame_rate: float,
        visualization: bool,
        inputs: Sequence[Path] = (),
    ) -> None:
        name = file_name(name)
        texts, drawn = Path(folder) / "mot_results", Path(folder) / "mot_outputs"
        film = drawn / f"{name}_vis.avi"
        self._pictures = drawn / name
        outputs = [texts / f"{name}.txt", texts / f"{name}.partial.txt"]
        outputs += [self._pictures / path.name for path in inputs] + [film] if visualization else []
        for path in outputs:
            refuse_overwrite(path, inputs)
        self._stack = contextlib.ExitStack()
        busy = f"The results {texts / name}.* are being written by another run; wait for it, or choose another folder."
        self._stack.enter_context(lock(make_folder(texts) / name, busy))
        # Each frame is written in one thread, to its end: an interrupt cannot stop it halfway.
        self._pool = self._stack.enter_context(ThreadPoolExecutor(1))
        self._text = TextWriter(outputs[0])
        self._video = None
        if visualization:
            make_folder(self._pictures)
            self._video = MotionJpegWriter(film, frame_rate)
        self._overlay = FrameAnnotator(trails=0)
        self._written: set[str] = set()

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        finished = kind is None or issubclass(kind, KeyboardInterrupt)
        with self._stack:
            self._pool.submit(self._close if finished else self._stop).result()

    def add(self, frame: Frame, tracks: FrameTracks) -> None:
        """Write the rows of a frame and, if wanted, its picture."""
        self._pool.submit(self._add, frame, tracks).result()

    def _add(self, frame: Frame, tracks: FrameTracks) -> None:
        self._text.append(dataclasses.replace(tracks, class_ids=np.full(len(tracks), -1)))
        if self._video is None:
            return
        image = self._overlay.draw(frame, tracks)
        name = f"{frame.number - 1:05d}.jpg"
        self._written.add(name)
        with atomic_write(self._pictures / name) as path:
            path.write_bytes(encode_jpeg(image, quality=95))
        self._video.write(image)

    def _close(self) -> None:
        self._text.close()
        if self._video is not None:
            self._video.close()
            self._remove_pictures_of_earlier_runs()

    def _stop(self) -> None:
        self._text.stop()
        if self._video is not None:
            self._video.stop()

    def _remove_pictures_of_earlier_runs(self) -> None:
        for file in self._pictures.iterdir():
            if re.fullmatch(r"[0-9]{5,}\.jpg", file.name) and file.name not in self._written:
                with contextlib.suppress(OSError):
                    file.unlink()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise HubError(f"{self.prog}: {message}.")


def _run_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=f"hub run {NAME}", description=f"Run the {NAME} module.")
    given = parser.add_argument_group("Input options", "Input data. Required")
    given.add_argument("--video_stream", help="a video file, or a camera number")
    settings = parser.add_argument_group("Config options", "not required")
    settings.add_argument("--use_gpu", action="store_true", help="run on the GPU")
    settings.add_argument("--output_dir", default="mot_result", help="where the results go (mot_result)")
    settings.add_argument("--from_device", action="store_true", help="--video_stream is a camera number")
    settings.add_argument("--visualization", action="store_true", help="write annotated frames and a video")
    settings.add_argument("--draw_threshold", type=float, default=0.5, help="smallest score of a row (0.5)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer PaddleHub's commands `run`, `install`, `list`, `show` and `version`.

    Parameters
    ----------
    arguments
        By default those of the process.

    Returns
    -------
    int
        0 when it went well, 2 for a user's mistake (one line on stderr), 130 when interrupted.

    Examples
    --------
    >>> main(["show", "fairmot_dla34"])  # doctest: +ELLIPSIS
    ModuleName      fairmot_dla34
    Version         1...
    0
    """
    try:
        run_command(sys.argv[1:] if arguments is None else arguments)
    except FairMOTLabError as error:
        print(f"hub: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print("hub: interrupted; what was written so far is kept", file=sys.stderr)  # noqa: T201
        return 130
    return 0


def run_command(arguments: Sequence[str]) -> None:
    """Run a command of `main`; `run` also takes `--weights`, as `Module` does.

    Raises
    ------
    FairMOTLabError
        For a user's mistake.
    """
    command, *rest = list(arguments) or ["help"]
    commands = {"run": _run, "install": _install, "list": _list, "show": _show, "version": _version, "help": _help}
    if command.removeprefix("--") not in commands:
        raise HubError(f"There is no command {command!r} here; use one of {', '.join(commands)}.")
    commands[command.removeprefix("--")](rest)


def _one_module(rest: Sequence[str], command: str) -> tuple[str | None, str | None]:
    """Name and version of NAME==VERSION, the first argument that is not an option."""
    named = next((each for each in rest if not each.startswith("-")), None)
    if named is None:
        raise HubError(f"Name a module: hub {command} {NAME}.")
    name, _, version = named.partition("==")
    return name, version or None


def _run(rest: Sequence[str]) -> None:
    name, version = _one_module(rest, "run")
    folder = name if name and Path(name).is_dir() and name != NAME else None
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    own.add_argument("--weights")
    options, others = own.parse_known_args(rest[1:])
    if (folder or name == NAME) and not _run_parser().parse_args(others).video_stream:  # before anything is loaded
        raise HubError("--video_stream should be set.")
    module = Module(None if folder else name, version, directory=folder, weights=options.weights)
    print(module.run_cmd(others))  # type: ignore[func-returns-value]  # noqa: T201, PaddleHub prints it too


def _install(rest: Sequence[str]) -> None:
    name, version = _one_module(rest, "install")
    module = Module(name, version, weights=WEIGHTS)
    write_text(_version_file(), module.version)
    print(f"Successfully installed {module.name}-{module.version} ({module.directory})")  # noqa: T201


def _list(rest: Sequence[str]) -> None:
    path = find_card(WEIGHTS).path
    rows = [("ModuleName", "Path"), *([(NAME, str(path.parent))] if path.is_file() else [])]
    print("\n".join(f"{left:<25} {right}" for left, right in rows))  # noqa: T201


def _show(rest: Sequence[str]) -> None:
    name, _ = _one_module(rest, "show")
    if name != NAME:
        raise HubError(f"{name} is not existed! The module that is served is {NAME}.")
    path, module = find_card(WEIGHTS).path, FairmotTracker_1088x608
    installed = _version_file().read_text() if _version_file().is_file() else module.version
    rows = {
        "ModuleName": module.name,
        "Version": installed,
        "Summary": module.summary,
        "Author": module.author,
        "Author-Email": module.author_email,
        "Location": str(path.parent) if path.is_file() else f"not installed: hub install {NAME}",
    }
    print("\n".join(f"{title:<15} {value}".rstrip() for title, value in rows.items()))  # noqa: T201


def _version_file() -> Path:
    """Return where the version is kept that was installed last; the weights are the same."""
    return find_card(WEIGHTS).path.with_suffix(".version")


def _version(rest: Sequence[str]) -> None:
    from .. import __version__

    print(f"fairmot_lab {__version__}, in place of PaddleHub, for the module {NAME}")  # noqa: T201


def _help(rest: Sequence[str]) -> None:
    _version(rest)
    print(  # noqa: T201
        f"  run {NAME} --video_stream FILE   track a video (--help for all options)\n"
        f"  install {NAME}[==VERSION]        fetch the official weights\n"
        f"  show {NAME}                      what the module is\n"
        "  list                                    the modules whose weights are here"
    )


if __name__ == "__main__":
    sys.exit(main())
