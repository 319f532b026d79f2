"""`fairmot-lab track`."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._files import natural_order
from ..errors import ConfigError, warn
from .arguments import _counter, _overlap, _size, _terminated_as_interrupted, _tracker_of_file

if TYPE_CHECKING:
    from ..association.base import Tracker
    from ..detection.detector import Detector
    from ..pipeline import TrackReport


def _add_track(commands: argparse._SubParsersAction, arguments: Sequence[str]) -> None:
    """Declare the command; the settings of the tracker that `arguments` name become options."""
    parser = commands.add_parser("track", help="track a sequence, video, folder of images, camera or stream")
    parser.add_argument(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="sequence folder, video, folder of images, camera number, address, folder of sequence folders, or several",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="of a folder of sequences: processes (-1: one per core)")
    parser.add_argument("--model", metavar="M", help="a model's name or a weights file (default: the bundled one)")
    parser.add_argument(
        "--detector", metavar="FILE", help="in place of --model: an ONNX export of YOLOX, YOLOv5/8, RTMDet"
    )
    parser.add_argument("--reid", metavar="FILE", help="with --detector: an ONNX network that makes the embeddings")
    parser.add_argument("--engine", default="auto", metavar="E", help="onnxruntime, paddle or auto")
    parser.add_argument("--device", default="auto", metavar="D", help="cpu, gpu, openvino or auto")
    parser.add_argument("--half", action="store_true", help="compute in half precision (meant for a GPU)")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument("--input-size", type=_size, metavar="WxH", help="the network's input in pixels")
    parser.add_argument(
        "--nms-iou",
        type=_overlap,
        default="auto",
        metavar="X",
        help="leave out boxes that overlap a better one by more (auto: 0.5 for the compact model, 0.65 for a "
        "--detector, none for others)",
    )
    parser.add_argument("--output", default="outputs", metavar="DIR", help="where the results go (default: outputs)")
    parser.add_argument("--name", metavar="NAME", help="what the results are called (default: as the source)")
    parser.add_argument("--frame-rate", type=float, metavar="F", help="frames per second, where the source says none")
    parser.add_argument(
        "--value-range",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="values shown as black and white, for images of more than 8 bits (default: their own range)",
    )
    parser.add_argument("--allow-truncated", action="store_true", help="accept a video that ends early")
    parser.add_argument("--retries", type=int, default=5, metavar="N", help="how often a lost camera is opened again")
    parser.add_argument("--stall-seconds", type=float, default=10.0, metavar="S", help="when a silent camera is lost")
    parser.add_argument("--no-detections", "--no-outputs", action="store_true", help="do not keep the detections")
    parser.add_argument(
        "--resume", action="store_true", help="resume an interrupted run of the same source and settings"
    )
    parser.add_argument(
        "--score-threshold", type=float, default=0.0, metavar="S", help="leave out rows with lower scores"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_groups(parser)
    parser.set_defaults(run=_run_track)
    if list(arguments[:1]) == ["track"]:  # the other commands load no tracker
        _add_settings(parser, _named_tracker(arguments))


def _add_groups(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the overlay video, of counting and of the choice of a tracker."""
    drawing = parser.add_argument_group("overlay video", "written if one of these is given")
    drawing.add_argument("--video", action="store_true", help="write an H.264 video with boxes, ids and trails")
    drawing.add_argument("--draw-threshold", type=float, metavar="S", help="do not draw lower scores")
    drawing.add_argument("--trails", type=int, metavar="N", help="frames that trails reach back (30); 0: none")
    drawing.add_argument("--no-scores", action="store_true", help="write ids without scores")
    drawing.add_argument("--heatmap", action="store_true", help="draw the centre heatmap over the frames")
    drawing.add_argument("--compare", metavar="FILE", help="draw another result, or the ground truth (gt), beside it")
    counting = parser.add_argument_group("counting")
    counting.add_argument("--count", action="store_true", help="count people (implied by the following)")
    counting.add_argument(
        "--line", action="append", default=[], metavar="NAME=X1,Y1,X2,Y2", help="count who crosses it"
    )
    counting.add_argument(
        "--region", action="append", default=[], metavar="NAME=X,Y,X,Y,...", help="count who enters it"
    )
    counting.add_argument("--count-interval", type=float, metavar="S", help="seconds that a row spans (10)")
    tracking = parser.add_argument_group("tracker")
    tracking.add_argument(
        "--tracker",
        metavar="NAME",
        help="such as jde, bytetrack, ocsort or botsort, or module:Class of your own; with --help: shows its settings "
        "(default: that which the model came with)",
    )
    tracking.add_argument("--config", metavar="FILE", help="a tracker as JSON; the options below override its settings")
    tracking.add_argument(
        "--camera-motion",
        choices=("flow", "orb", "ecc"),
        help="estimate how the camera moves, for trackers that use it",
    )


def _named_tracker(arguments: Sequence[str]) -> Tracker:
    """Return the tracker that the arguments name, by themselves, in a file, or through the model."""
    from ..association.registry import as_tracker, get_tracker
    from ..pipeline import DEFAULT_MODEL, recommended_tracker

    sniffer = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in ("--tracker", "--config", "--model", "--detector"):
        sniffer.add_argument(flag, nargs="?")
    options, _ = sniffer.parse_known_args(list(arguments))
    recommended = as_tracker(None) if options.detector else recommended_tracker(options.model or DEFAULT_MODEL)
    if options.config:
        return _tracker_of_file(options.config, options.tracker, recommended.name)
    return recommended if options.tracker in (None, recommended.name) else get_tracker(options.tracker)


def _add_settings(parser: argparse.ArgumentParser, tracker: Tracker) -> None:
    settings = parser.add_argument_group(f"settings of {tracker.name}: {tracker.title}")
    kinds: dict[str, Any] = {"float": float, "int": int, "choice": str}
    values = tracker.settings.to_dict()
    for setting in tracker.Settings.settings().values():
        flags = dict.fromkeys((f"--{setting.name.replace('_', '-')}", f"--{setting.name}"))
        text = f"{setting.doc} (default: {values[setting.name]})".replace("%", "%%")
        if setting.kind == "bool":
            action = argparse.BooleanOptionalAction
            settings.add_argument(next(iter(flags)), dest=setting.name, action=action, default=None, help=text)
        else:
            values_of = "|".join(setting.choices) or "X"
            settings.add_argument(*flags, dest=setting.name, type=kinds[setting.kind], metavar=values_of, help=text)
    parser.set_defaults(chosen_tracker=tracker)


def _run_track(options: argparse.Namespace) -> int | None:
    from ..pipeline import DEFAULT_MODEL, read_tracks, track_files
    from ..sources.many import several
    from ..sources.open import open_source

    counter = _counter(options)  # a line that cannot be is refused before the model is loaded
    tracker = options.chosen_tracker
    settings = {name: getattr(options, name) for name in tracker.Settings.settings()}
    tracker = tracker.replace(**{name: value for name, value in settings.items() if value is not None})
    is_one = len(options.source) == 1
    sequences = several(options.source[0] if is_one else options.source)
    if sequences is not None:
        return _track_several(options, sequences, tracker)
    live = {"retries": options.retries, "stall_seconds": options.stall_seconds}
    # a shell gives files in the order of their letters, img10 before img2
    given = options.source[0] if is_one else natural_order(map(Path, options.source))
    source = open_source(given, name=options.name, **live, **_reading(options))
    if counter is not None and source.width and (beyond := counter.outside(source.width, source.height)):
        warn(f"{', '.join(beyond)} lies outside the image of {source.width}x{source.height} pixels and counts nobody.")
    compare = read_tracks(options.compare, source) if options.compare else None
    if options.model is None and options.detector is None and options.reid is None:
        print(
            f"fairmot-lab: tracking with the bundled compact model {DEFAULT_MODEL}, as no --model is named; the "
            "official one: fairmot-lab models download fairmot_dla34_30e_1088x608",
            file=sys.stderr,
        )
    model = _model(options)
    try:
        with _terminated_as_interrupted():
            report = track_files(
                source,
                tracker,
                options.output,
                model=model,
                compare=compare,
                counter=_counter(options, getattr(model, "class_names", None)),
                progress=not options.quiet,
                **_results(options),
            )
    except KeyboardInterrupt as stop:
        print(f"fairmot-lab: interrupted. {stop}".rstrip(), file=sys.stderr)
        return 130
    _print_report(report)
    return None


def _track_several(options: argparse.Namespace, sequences: dict[str, Any], tracker: Tracker) -> int | None:
    """Track the sequences of a folder; failures are reported at the end and give the exit status 2."""
    from ..detection.download import download_first
    from ..sources.many import run_each

    for name in ("compare", "name", "line", "region", "count", "count-interval"):
        if getattr(options, name.replace("-", "_")):
            raise ConfigError(f"--{name} goes with one sequence; {', '.join(options.source)} holds {len(sequences)}.")
    download_first(options.model)
    each = functools.partial(_track_one, options=options, tracker=tracker)
    with _terminated_as_interrupted():
        reports = run_each(each, sequences, n_jobs=options.jobs, description="track", progress=not options.quiet)
    for report in reports.values():
        _print_report(report)
    return 2 if len(reports) < len(sequences) else None


def _track_one(name: str, path: Any, *, options: argparse.Namespace, tracker: Tracker) -> TrackReport:
    from ..pipeline import track_files
    from ..sources.open import open_source

    source, model = open_source(path, **_reading(options)), _model(options)
    return track_files(source, tracker, options.output, model=model, progress=False, **_results(options))


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    """Return how a source is read, as arguments of `open_source`."""
    return {name: getattr(options, name) for name in ("frame_rate", "allow_truncated", "value_range")}


def _results(options: argparse.Namespace) -> dict[str, Any]:
    """Return how any source is tracked, as arguments of `track_files`."""
    return {
        "camera_motion": options.camera_motion,
        "overlay": {
            "trails": 30 if options.trails is None else options.trails,
            "scores": not options.no_scores,
            "draw_threshold": options.draw_threshold or 0.0,
            "heatmap": options.heatmap,
        },
        "video": any((options.video, options.compare, options.no_scores, options.heatmap))
        or (options.draw_threshold, options.trails) != (None, None),
        "keep_detections": not options.no_detections,
        "resume": options.resume,
        "score_threshold": options.score_threshold,
        # read beside the source: no result may overwrite them
        "inputs": [options.config, options.compare, options.model, options.detector, options.reid],
    }


def _model(options: argparse.Namespace) -> Detector:
    from ..detection.model import load_model
    from ..detection.onnx_detector import load_detector
    from ..pipeline import DEFAULT_MODEL

    if options.reid and not options.detector:
        raise ConfigError("--reid needs --detector; FairMOT makes embeddings itself.")
    if options.detector:
        if options.model:
            raise ConfigError("--detector takes the place of --model; give one of them.")
        if options.half:
            raise ConfigError("--half goes with --model; export the detector in half precision instead.")
        if options.engine != "auto":
            raise ConfigError("--engine goes with --model; a --detector runs in onnxruntime.")
        given: dict[str, Any] = {}
        if options.nms_iou != "auto":
            given["nms_iou"] = 1.0 if options.nms_iou is None else options.nms_iou
        return load_detector(
            options.detector,
            reid=options.reid,
            device=options.device,
            threads=options.threads,
            input_size=options.input_size,
            **given,
        )
    return load_model(
        options.model or DEFAULT_MODEL,
        engine=options.engine,
        device=options.device,
        half=options.half,
        threads=options.threads,
        input_size=options.input_size,
        nms_iou=options.nms_iou,
    )


def _print_report(report: TrackReport) -> None:
    files = [report.text, report.video, report.counts, report.events, report.detections]
    print(f"{report.name}: {report.frames} frames, {report.rows} boxes of {report.ids} tracks")
    print("\n".join(f"  {file}" for file in files if file is not None))
