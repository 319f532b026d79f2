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
    from .._terminal import wrapped
    from ..detection.zoo import ARCHITECTURES, AUTHORS_CARDS, CARDS, cache_folder, server, state

    group = ""
    for card in [*CARDS.values(), *AUTHORS_CARDS.values()]:
        if card.group != group:
            group = card.group
            print(f"\n{group}:")
        size = f"input {card.input_size[0]}x{card.input_size[1]}, {card.megabytes:g} MB"
        print(f"  {card.name}")
        network = ARCHITECTURES[card.architecture].title
        print(wrapped(f"      {state(card)}; {network}; {size}; {card.published}", "      "))
    print("\nPublished figures are MOTA / IDF1 / ID switches.")
    print(wrapped(f"The cache is {cache_folder()}; weights come from {server()}."))


def _run_models_download(options: argparse.Namespace) -> None:
    from ..detection.download import download

    print(download(options.name))


def _run_models_verify(options: argparse.Namespace) -> None:
    from ..detection.model import verify_weights

    weights = verify_weights(options.name, options.architecture)
    print(f"{weights.path}: complete, safe, fits {weights.architecture}; SHA-256 {weights.sha256}")
