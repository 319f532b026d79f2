"""The command line: `fairmot-lab COMMAND` and `python -m fairmot_lab COMMAND`.

Each command is one `add_...` function that declares its arguments and one `run_...` function that calls the library.
A user's mistake is one line on stderr and exit status 2.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .errors import ConfigError, FairMOTLabError, FairMOTLabWarning, HubError

if TYPE_CHECKING:
    from .counting import Counter

Run = Callable[[argparse.Namespace], int | None]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        """Say what is wrong in one line, without the usage text."""
        self.exit(2, f"{self.prog}: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser with every command."""
    parser = _Parser(prog="fairmot-lab", description="Understand a FairMOT tracker: track, evaluate, explain.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for add in COMMANDS:
        add(commands)
    return parser


def _add_data(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("data", help="what is found of MOT15, MOT16, MOT17 and MOT20")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    check = actions.add_parser("check", help="say what is there, what is missing and what is odd")
    check.add_argument("folder", nargs="?", default="data", metavar="DIR", help="where they lie (default: data)")
    check.add_argument("--csv", metavar="FILE", help="also write the table")
    check.set_defaults(run=_run_data_check)


def _run_data_check(options: argparse.Namespace) -> None:
    from .datasets import check_data, describe
    from .files import atomic_write

    table = check_data(options.folder)
    print("\n".join(describe(table)))
    if options.csv:
        with atomic_write(options.csv) as path:
            table.to_csv(path, index=False)


def _add_track(commands: argparse._SubParsersAction) -> None:
    from .settings import TrackerConfig

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
    from .network import load_model
    from .settings import TrackerConfig
    from .sources import open_source
    from .tracking import DEFAULT_MODEL, model_settings, read_tracks, track_files

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


def _counter(options: argparse.Namespace) -> Counter | None:
    from .counting import Counter, parse_line, parse_region

    if not (options.count or options.line or options.region):
        return None
    lines = dict(_named(text, parse_line) for text in options.line)
    regions = dict(_named(text, parse_region) for text in options.region)
    return Counter(lines=lines, regions=regions, interval=options.count_interval)


def _named(text: str, parse: Callable[[str], Any]) -> tuple[str, Any]:
    name, equals, points = text.partition("=")
    if not (name and equals):
        raise ConfigError(f"{text!r} has no name; write it as NAME=X1,Y1,X2,Y2,...")
    return name, parse(points)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it as 1088x608")
    return int(width), int(height)


def _overlap(text: str) -> float | str | None:
    if text in ("auto", "none"):
        return None if text == "none" else text
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no overlap; give 0 to 1, none or auto") from error


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: files are finished."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _add_hub(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("hub", help="PaddleHub's command line for its module fairmot_dla34")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    run = actions.add_parser("run", help="track a video as `hub run` does")
    run.add_argument("module", metavar="MODULE", help="fairmot_dla34")
    run.add_argument("--video_stream", metavar="PATH", help="a video file, or a camera number")
    run.add_argument("--output_dir", default="mot_result", metavar="DIR", help="where the results go (mot_result)")
    run.add_argument("--draw_threshold", type=float, default=0.5, metavar="S", help="smallest score of a row (0.5)")
    run.add_argument("--use_gpu", action="store_true", help="run on the GPU")
    run.add_argument("--visualization", action="store_true", help="write annotated frames and a video")
    run.add_argument("--weights", metavar="M", help="other weights: a model's name or a file")
    run.set_defaults(run=_run_hub)


def _run_hub(options: argparse.Namespace) -> None:
    from . import hub

    module = hub.Module(name=options.module, weights=options.weights)
    if not options.video_stream:
        raise HubError("--video_stream should be set.")
    module.tracking(
        options.video_stream,
        output_dir=options.output_dir,
        visualization=options.visualization,
        draw_threshold=options.draw_threshold,
        use_gpu=options.use_gpu,
    )


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate", help="compare result files with ground truth")
    _add_comparison(parser)
    parser.add_argument("--compare", action="store_true", help="show every protocol and both sets of rules")
    parser.add_argument(
        "--format", choices=("text", "markdown", "latex", "csv"), default="text", help="of what is printed"
    )
    parser.add_argument("--csv", metavar="FILE", help="also write the summary, with full precision")
    parser.set_defaults(run=_run_evaluate)


def _add_comparison(parser: argparse.ArgumentParser) -> None:
    """What `evaluate` and `switches` have in common."""
    parser.add_argument(
        "--gt", required=True, metavar="PATH", help="folder of SEQUENCE/gt/gt.txt, one sequence folder, or a file"
    )
    parser.add_argument("--results", required=True, metavar="PATH", help="folder of SEQUENCE.txt, or a file")
    parser.add_argument(
        "--protocol", metavar="P", help="motchallenge, raw or paddle (default: motchallenge where there are classes)"
    )
    parser.add_argument("--rules", default="motmetrics", metavar="R", help="motmetrics (default) or trackeval")
    parser.add_argument("--sequences", nargs="+", metavar="NAME", help="only these")
    parser.add_argument(
        "--frames", nargs=2, type=int, metavar=("FIRST", "LAST"), help="only these frames, both included, from 1"
    )


def _comparison(options: argparse.Namespace) -> dict:
    frames = tuple(options.frames) if options.frames else None
    return {"sequences": options.sequences, "frames": frames}


def _run_evaluate(options: argparse.Namespace) -> None:
    from .evaluation import compare_protocols, evaluate
    from .files import atomic_write

    if options.compare:
        table = compare_protocols(options.results, options.gt, **_comparison(options))
        print(table.to_csv(index=False) if options.format == "csv" else table.to_string(index=False))
        if options.csv:
            with atomic_write(options.csv) as path:
                table.to_csv(path, index=False)
        return
    result = evaluate(
        options.results, options.gt, protocol=options.protocol, rules=options.rules, **_comparison(options)
    )
    written = {"markdown": result.to_markdown, "latex": result.to_latex, "csv": result.to_csv}
    print(written[options.format]() if options.format in written else result)
    if options.csv:
        result.to_csv(options.csv)


def _add_sweep(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("sweep", help="track kept outputs with many settings and evaluate each")
    parser.add_argument(
        "outputs", nargs="+", metavar="OUTPUTS", help="kept outputs, a det.txt, a sequence folder, or a folder of these"
    )
    parser.add_argument(
        "--gt", metavar="PATH", help="ground truth, as for evaluate (default: that beside public detections)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="a tracker setting and its values: .3,.4,.5 or a range .2:.6:.1; several times: every combination",
    )
    parser.add_argument(
        "--random", type=int, metavar="N", help="draw N settings; --set NAME then draws from the range it declares"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the random draws (default: 0)")
    parser.add_argument("--config", metavar="FILE", help="the other settings as JSON")
    parser.add_argument("--protocol", metavar="P", help="motchallenge, raw or paddle")
    parser.add_argument("--sequences", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; -1: one per core (default: 1)")
    parser.add_argument("--file", metavar="FILE", help="append rows here as they come; run again to go on")
    parser.add_argument("--csv", metavar="FILE", help="also write the table, with every column")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=_run_sweep)


def _run_sweep(options: argparse.Namespace) -> None:
    from .files import atomic_write
    from .settings import TrackerConfig
    from .sweeps import grid_from_text, random_search, sweep

    config = TrackerConfig.from_json(options.config) if options.config else TrackerConfig()
    grid: Any = grid_from_text(options.set, drawn=options.random is not None)
    if options.random is not None:
        grid = random_search(grid, options.random, seed=options.seed, config=config)
    table = sweep(
        options.outputs[0] if len(options.outputs) == 1 else options.outputs,
        grid,
        ground_truth=options.gt,
        sequences=options.sequences,
        config=config,
        protocol=options.protocol,
        n_jobs=options.jobs,
        file=options.file,
        progress=not options.quiet,
    )
    if options.csv:
        with atomic_write(options.csv) as path:
            table.to_csv(path, index=False)
    swept = list(table.columns[1 : list(table.columns).index("sequence")])
    shown = ["sequence", *swept, "mota", "idf1", "hota", "num_switches", "num_false_positives", "num_misses", "seconds"]
    print(table[[name for name in shown if name in table]].to_string(index=False, float_format="{:.4f}".format))


def _add_models(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("models", help="the models that are known by name")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    listing = actions.add_parser("list", help="every model with its network, input, published figures and state")
    listing.set_defaults(run=_run_models_list)
    download = actions.add_parser("download", help="fetch the weights of a model; goes on where it was cut")
    download.add_argument("name", metavar="NAME")
    download.set_defaults(run=_run_models_download)
    verify = actions.add_parser("verify", help="check that weights are unchanged, safe, and fit their network")
    verify.add_argument("name", metavar="NAME_OR_FILE")
    verify.add_argument("--architecture", metavar="A", help="of a file whose name and tensors do not tell")
    verify.set_defaults(run=_run_models_verify)


def _run_models_list(options: argparse.Namespace) -> None:
    from . import zoo

    rows = [("NAME", "NETWORK", "INPUT", "MB", "STATE", "PUBLISHED MOTA / IDF1 / IDS")]
    for card in zoo.CARDS.values():
        size = f"{card.input_size[0]}x{card.input_size[1]}"
        title = zoo.ARCHITECTURES[card.architecture].title
        rows.append((card.name, title, size, f"{card.megabytes:g}", zoo.state(card), card.published))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    print(f"\nThe cache is {zoo.cache_folder()}; weights come from {zoo.server()}.")


def _run_models_download(options: argparse.Namespace) -> None:
    from . import zoo

    print(zoo.download(options.name))


def _run_models_verify(options: argparse.Namespace) -> None:
    from .network import verify_weights

    weights, digest = verify_weights(options.name, options.architecture)
    print(f"{weights.path}: whole, safe, fits {weights.architecture}; SHA-256 {digest}")


def _add_demo(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "demo", help="render a street scene, track it with the bundled model, judge the result"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which scene (default: 0)")
    parser.add_argument("--data", default="data", metavar="DIR", help="where the sequence goes (default: data)")
    parser.add_argument("--output", default="outputs", metavar="DIR", help="where the results go (default: outputs)")
    parser.add_argument("--frames", type=int, default=300, metavar="N", help="length of the sequence (default: 300)")
    parser.add_argument("--no-video", action="store_true", help="make no overlay video")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.set_defaults(run=_run_demo)


def _run_demo(options: argparse.Namespace) -> None:
    from .demo import run_demo
    from .scenes import SceneConfig

    report = run_demo(
        options.data,
        options.output,
        seed=options.seed,
        config=SceneConfig(length=options.frames),
        video=not options.no_video,
        progress=not options.quiet,
    )
    row = report.summary.iloc[-1]
    print(f"MOTA {row['mota']:.3f}  IDF1 {row['idf1']:.3f}  HOTA {row['hota']:.3f}  switches {row['num_switches']:.0f}")
    print(f"{report.frames} frames in {report.seconds:.1f} s: {report.frames / report.seconds:.1f} frames a second")
    for path in (report.sequence, report.text, report.picture, report.video):
        if path is not None:
            print(f"  {path}")


def _add_finetune(commands: argparse._SubParsersAction) -> None:
    from .training_arguments import add_arguments

    parser = commands.add_parser("finetune", help="fine-tune the compact model on sequences with ground truth")
    add_arguments(parser, steps=300, learning_rate=5e-4, scenes=0, confine=False)
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.set_defaults(run=_run_finetune)


def _run_finetune(options: argparse.Namespace) -> None:
    from .training import run

    weights = run(options, progress=not options.quiet)
    print(f"{weights}\nUse it with: fairmot-lab track SOURCE --model {weights}")


def _add_switches(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("switches", help="the ID switches, one row each: what happened, and why")
    _add_comparison(parser)
    parser.add_argument(
        "--outputs", metavar="DIR", help="kept network outputs of the one sequence: tracks them again to say why"
    )
    parser.add_argument(
        "--what-if", action="store_true", help="with --outputs: which single changed setting avoids each switch"
    )
    parser.add_argument("--csv", metavar="FILE", help="also write the table")
    parser.set_defaults(run=_run_switches)


def _run_switches(options: argparse.Namespace) -> None:
    from .evaluation import evaluate
    from .files import atomic_write
    from .switches import describe, switches_from_outputs

    comparison = {"protocol": options.protocol, "rules": options.rules, **_comparison(options)}
    if options.outputs:
        table, lines = switches_from_outputs(
            options.outputs, options.gt, results=options.results, try_settings=options.what_if, **comparison
        )
    else:
        result = evaluate(options.results, options.gt, **comparison)
        table, lines = result.switches, describe(result)
    print("\n".join(lines))
    if options.csv:
        with atomic_write(options.csv) as path:
            table.assign(**{str(key): value for key, value in table.attrs.items()}).to_csv(path, index=False)


COMMANDS: list[Callable[[argparse._SubParsersAction], None]] = [
    _add_track,
    _add_hub,
    _add_data,
    _add_evaluate,
    _add_switches,
    _add_sweep,
    _add_models,
    _add_demo,
    _add_finetune,
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 when it went well, 2 for a user's mistake, 130 when interrupted.
    """
    options = build_parser().parse_args(arguments)
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", FairMOTLabWarning)
    logging.basicConfig(format="fairmot-lab: %(message)s")
    logging.getLogger("fairmot_lab").setLevel(logging.INFO)
    try:
        return options.run(options) or 0
    except FairMOTLabError as error:
        print(f"fairmot-lab: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fairmot-lab: interrupted; what was written so far is kept", file=sys.stderr)
        return 130


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    if issubclass(category, FairMOTLabWarning):
        print(f"fairmot-lab: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
