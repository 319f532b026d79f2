"""`fairmot-lab track`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from .arguments import _counter, _overlap, _size, _terminated_as_interrupted


def _add_track(commands: argparse._SubParsersAction) -> None:
    from ..settings import TrackerConfig

    parser = commands.add_parser("track", help="track a sequence, video, folder of images, camera or stream")
    parser.add_argument(
        "source", metavar="SOURCE", help="sequence folder, video, folder of images, camera number, address"
    )
    parser.add_argument("--model", metavar="M", help="a model's name or a weights file (default: the bundled one)")
    parser.add_argument("--engine", default="auto", metavar="E", help="onnxruntime, paddle or auto")
    parser.add_argument("--device", default="auto", metavar="D", help="cpu, gpu or auto")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument("--input-size", type=_size, metavar="WxH", help="the network's input in pixels")
    parser.add_argument(
        "--nms-iou",
        type=_overlap,
        default="auto",
        metavar="X",
        help="leave out boxes that overlap a better one by more (auto: 0.5 for the compact model, none for others)",
    )
    parser.add_argument("--output", default="outputs", metavar="DIR", help="where the results go (default: outputs)")
    parser.add_argument("--name", metavar="NAME", help="what the results are called (default: as the source)")
    parser.add_argument("--frame-rate", type=float, metavar="F", help="frames per second, where the source says none")
    parser.add_argument("--allow-truncated", action="store_true", help="accept a video that ends early")
    parser.add_argument("--retries", type=int, default=5, metavar="N", help="how often a lost camera is opened again")
    parser.add_argument("--stall-seconds", type=float, default=10.0, metavar="S", help="when a silent camera is lost")
    parser.add_argument("--no-outputs", action="store_true", help="do not keep the network's outputs")
    parser.add_argument("--resume", action="store_true", help="go on where an interrupted run stopped")
    parser.add_argument(
        "--score-threshold", type=float, default=0.0, metavar="S", help="leave out rows with lower scores"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    drawing = parser.add_argument_group("overlay video")
    drawing.add_argument("--video", action="store_true", help="write an H.264 video with boxes, ids and trails")
    drawing.add_argument("--draw-threshold", type=float, default=0.0, metavar="S", help="do not draw lower scores")
    drawing.add_argument("--trails", type=int, default=30, metavar="N", help="frames that trails reach back; 0: none")
    drawing.add_argument("--no-scores", action="store_true", help="write ids without scores")
    drawing.add_argument("--heatmap", action="store_true", help="lay the network's centre heatmap over the frames")
    drawing.add_argument("--compare", metavar="FILE", help="draw another result, or the ground truth (gt), beside it")
    counting = parser.add_argument_group("counting")
    counting.add_argument("--count", action="store_true", help="count people (implied by the following)")
    counting.add_argument(
        "--line", action="append", default=[], metavar="NAME=X1,Y1,X2,Y2", help="count who crosses it"
    )
    counting.add_argument(
        "--region", action="append", default=[], metavar="NAME=X,Y,X,Y,...", help="count who enters it"
    )
    counting.add_argument("--count-interval", type=float, default=10.0, metavar="S", help="seconds that a row spans")
    settings = parser.add_argument_group("tracker settings (PaddleDetection's names)")
    settings.add_argument("--config", metavar="FILE", help="settings as JSON; the options below override them")
    kinds: dict[str, Any] = {"float": float, "int": int, "choice": str}
    for setting in TrackerConfig.settings().values():
        flags = dict.fromkeys((f"--{setting.name.replace('_', '-')}", f"--{setting.name}"))
        text = f"{setting.doc} (default: {setting.default})".replace("%", "%%")
        if setting.kind == "bool":
            action = argparse.BooleanOptionalAction
            settings.add_argument(next(iter(flags)), dest=setting.name, action=action, default=None, help=text)
        else:
            settings.add_argument(*flags, dest=setting.name, type=kinds[setting.kind], metavar="X", help=text)
    parser.set_defaults(run=_run_track)


def _run_track(options: argparse.Namespace) -> int | None:
    from ..detection.model import load_model
    from ..pipeline import DEFAULT_MODEL, model_settings, read_tracks, track_files
    from ..settings import TrackerConfig
    from ..sources.open import open_source

    counter = _counter(options)
    changes = {name: getattr(options, name) for name in TrackerConfig.settings() if getattr(options, name) is not None}
    config = TrackerConfig.from_json(options.config) if options.config else None
    if config is not None or changes:  # before anything slow
        (config or TrackerConfig()).replace(**changes)
    source = open_source(
        options.source,
        frame_rate=options.frame_rate,
        name=options.name,
        allow_truncated=options.allow_truncated,
        retries=options.retries,
        stall_seconds=options.stall_seconds,
    )
    compare = read_tracks(options.compare, source) if options.compare else None
    if options.model is None:
        print(
            f"fairmot-lab: tracking with the bundled compact model {DEFAULT_MODEL}, as no --model is named; the "
            "official one is had with: fairmot-lab models download fairmot_dla34_30e_1088x608",
            file=sys.stderr,
        )
    model = load_model(
        options.model or DEFAULT_MODEL,
        engine=options.engine,
        device=options.device,
        threads=options.threads,
        input_size=options.input_size,
        nms_iou=options.nms_iou,
    )
    config = (config or model_settings(model.name)).replace(**changes)
    overlay = {
        "trails": options.trails,
        "scores": not options.no_scores,
        "draw_threshold": options.draw_threshold,
        "heatmap": options.heatmap,
    }
    try:
        with _terminated_as_interrupted():
            report = track_files(
                source,
                model,
                config,
                options.output,
                video=options.video or options.compare is not None,
                overlay=overlay,
                compare=compare,
                counter=counter,
                keep_outputs=not options.no_outputs,
                resume=options.resume,
                score_threshold=options.score_threshold,
                progress=not options.quiet,
            )
    except KeyboardInterrupt as stop:
        print(f"fairmot-lab: interrupted. {stop}".rstrip(), file=sys.stderr)
        return 130
    files = [report.text, report.video, report.counts, report.events, report.outputs]
    print(f"{report.name}: {report.frames} frames, {report.rows} boxes of {report.ids} tracks")
    print("\n".join(f"  {file}" for file in files if file is not None))
    return None
