"""`fairmot-lab models`."""

from __future__ import annotations

import argparse

from .arguments import _Parser


def _add_models(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("models", help="the models that are known by name")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    listing = actions.add_parser("list", help="every model with its network, input, published figures and state")
    listing.set_defaults(run=_run_models_list)
    download = actions.add_parser("download", help="fetch the weights of a model; resumes a transfer that was cut")
    download.add_argument("name", metavar="NAME")
    download.set_defaults(run=_run_models_download)
    verify = actions.add_parser("verify", help="check that weights are unchanged, safe, and fit their network")
    verify.add_argument("name", metavar="NAME_OR_FILE")
    verify.add_argument("--architecture", metavar="A", help="of a file whose name and tensors do not tell")
    verify.set_defaults(run=_run_models_verify)


def _run_models_list(options: argparse.Namespace) -> None:
    from ..detection.zoo import ARCHITECTURES, AUTHORS_CARDS, CARDS, cache_folder, server, state

    cards = [*CARDS.values(), *AUTHORS_CARDS.values()]
    rows = [("NAME", "NETWORK", "INPUT", "MB", "STATE", "PUBLISHED MOTA / IDF1 / IDS")]
    for card in cards:
        size = f"{card.input_size[0]}x{card.input_size[1]}"
        title = ARCHITECTURES[card.architecture].title
        rows.append((card.name, title, size, f"{card.megabytes:g}", state(card), card.published))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    group = ""
    for row, heading in zip(rows, ["", *(card.group for card in cards)], strict=True):
        if heading != group:
            group = heading
            print(f"\n{group}:")
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    print(f"\nThe cache is {cache_folder()}; weights come from {server()}.")


def _run_models_download(options: argparse.Namespace) -> None:
    from ..detection.download import download

    print(download(options.name))


def _run_models_verify(options: argparse.Namespace) -> None:
    from ..detection.model import verify_weights

    weights, digest = verify_weights(options.name, options.architecture)
    print(f"{weights.path}: complete, safe, fits {weights.architecture}; SHA-256 {digest}")
