"""`fairmot-lab export`."""

from __future__ import annotations

import argparse

from .arguments import _size


def _add_export(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("export", help="write a network as ONNX or safetensors, for other programs")
    parser.add_argument("model", metavar="MODEL", help="a model's name or a weights file")
    parser.add_argument("--format", default="onnx", metavar="F", help="onnx (default) or safetensors")
    parser.add_argument("--output", metavar="FILE", help="the file to make (default: the model's name, here)")
    parser.add_argument("--input-size", type=_size, metavar="WxH", help="the network's input in pixels, for onnx")
    parser.add_argument("--architecture", metavar="A", help="of a file whose name and tensors do not tell")
    parser.add_argument("--half", action="store_true", help="write an ONNX file that computes in half precision")
    parser.set_defaults(run=_run_export)


def _run_export(options: argparse.Namespace) -> None:
    from ..detection.export import export_model

    path = export_model(
        options.model,
        options.output,
        format=options.format,
        input_size=options.input_size,
        architecture=options.architecture,
        half=options.half,
    )
    print(path)
