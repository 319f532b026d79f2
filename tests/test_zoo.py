"""The zoo: weights that carry code are refused, and a server may misbehave as it likes."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import http.server
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fairmot_lab._files import lock
from fairmot_lab.cli import main as cli
from fairmot_lab.detection.download import download as download_of_download
from fairmot_lab.detection.download import find_weights
from fairmot_lab.detection.weights import read_weights
from fairmot_lab.detection.zoo import CARDS, ModelCard, card_of_file, find_card, state
from fairmot_lab.errors import DownloadError, UnknownModelError, WeightsError, WriteError
from fairmot_lab.pipeline import recommended_tracker

NAME = "fairmot_dla34_30e_576x320"
SUFFIXES = (".pdparams", ".safetensors", ".npz")  # torch's: tests/detection/test_authors.py


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAIRMOT_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "detector.backbone.base_layer.0.weight": rng.standard_normal((16, 3, 7, 7)).astype(np.float32),
        "detector.head.bias": rng.standard_normal(4).astype(np.float32),
        "steps": np.array(3),
    }


def equal(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name])
        assert left[name].dtype == right[name].dtype


# -- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_what_paddle_saves_is_read(tmp_path: Path, protocol: int) -> None:
    import paddle

    layer = paddle.nn.Sequential(paddle.nn.Linear(3, 4), paddle.nn.BatchNorm1D(4))
    path = tmp_path / "layer.pdparams"
    paddle.save(layer.state_dict(), str(path), protocol=protocol)
    equal(read_weights(path), {name: value.numpy() for name, value in layer.state_dict().items()})


def test_pickled_dicts_safetensors_and_npz_are_read(tmp_path: Path) -> None:
    (tmp_path / "w.pdparams").write_bytes(pickle.dumps(collections.OrderedDict(tensors())))
    save_file(tensors(), tmp_path / "w.safetensors")
    np.savez(tmp_path / "w.npz", **tensors())
    for suffix in SUFFIXES:
        equal(read_weights(tmp_path / f"w{suffix}"), tensors())


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def test_a_pickle_that_carries_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    """The same bytes do run code where they are simply unpickled: the test would notice a toothless attack."""
    import os

    victim = tmp_path / "ran"
    path = tmp_path / "evil.pdparams"
    path.write_bytes(pickle.dumps(tensors() | {"x": Calls(os.mkdir, str(victim))}))
    with pytest.raises(WeightsError, match=r"evil\.pdparams carries code \(posix\.mkdir\) and is refused"):
        read_weights(path)
    assert not victim.exists()
    pickle.loads(path.read_bytes())
    assert victim.exists()


@pytest.mark.parametrize(
    "attack",
    [
        Calls(eval, "1+1"),
        Calls(getattr, "text", "join"),
        Calls(np.load, "x.npy"),
        Calls(subprocess.Popen, ["true"]),
        Calls(np.ndarray, (2,)),
        Calls(np.dtype, "O"),
        np.array([{"a": 1}], dtype=object),
        np.array(["text"]),
        np.zeros(2, [("a", "f4")]),
    ],
    ids=["eval", "getattr", "np.load", "Popen", "ndarray", "dtype", "objects", "text", "record"],
)
def test_nothing_but_arrays_of_numbers(tmp_path: Path, attack: object) -> None:
    path = tmp_path / "odd.pdparams"
    for protocol in (2, 4):
        path.write_bytes(pickle.dumps({"x": attack}, protocol=protocol))
        with pytest.raises(WeightsError, match=r"odd\.pdparams"):
            read_weights(path)


def test_a_pickle_in_an_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", x=np.array([Calls(eval, "1")], dtype=object))
    with pytest.raises(WeightsError, match=r"w\.npz"):
        read_weights(tmp_path / "w.npz")


def test_a_fault_has_its_remedy_whatever_names_the_file_holds(tmp_path):
    np.savez(tmp_path / "w.npz", **{"a; b": np.array([None])})
    with pytest.raises(WeightsError, match=r"'a; b', which is not an array of numbers; download or save it again\.$"):
        read_weights(tmp_path / "w.npz")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_that_are_no_weights(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    for content in (b"", b"hello, this is text", b"PK\x03\x04 a zip", b"<html>404</html>", bytes(5000)):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=re.escape(path.name)):
            read_weights(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_that_are_cut_short(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    save_file(tensors(), tmp_path / "w.safetensors")
    np.savez(tmp_path / "w.npz", **tensors())
    (tmp_path / "w.pdparams").write_bytes(pickle.dumps(tensors()))
    whole = path.read_bytes()
    for cut in (1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(WeightsError, match=re.escape(path.name)):
            read_weights(path)


# -- names ----------------------------------------------------------------------------------------------------------


def test_names(tmp_path: Path) -> None:
    assert find_card("fairmot_dla34").input_size == (1088, 608)
    with pytest.raises(UnknownModelError, match=r"no model 'fairmot_dla43_30e_576x320'.*did you mean fairmot_dla34"):
        find_card("fairmot_dla43_30e_576x320")
    with pytest.raises(UnknownModelError, match="models list"):
        find_card("zzz")
    with pytest.raises(WeightsError, match=r"no weights file .*gone\.pdparams"):
        find_weights(tmp_path / "gone.pdparams")


def test_the_architecture_comes_from_the_name_or_the_tensors(tmp_path: Path) -> None:
    (tmp_path / "mine.pdparams").write_bytes(pickle.dumps(tensors()))
    (tmp_path / f"{NAME}.pdparams").write_bytes(pickle.dumps(tensors()))
    assert find_weights(tmp_path / "mine.pdparams").architecture == "dla34"
    assert find_weights(tmp_path / f"{NAME}.pdparams").input_size == (576, 320)
    assert find_weights(tmp_path / "mine.pdparams", "hardnet85").architecture == "hardnet85"
    np.savez(tmp_path / "other.npz", conv1=np.zeros(3))
    with pytest.raises(WeightsError, match=r"not of an architecture that is known here \(its first tensors: conv1\)"):
        find_weights(tmp_path / "other.npz")
    with pytest.raises(UnknownModelError, match="no architecture 'vgg'"):
        find_weights(tmp_path / "other.npz", "vgg")


def test_the_whole_zoo_has_its_published_settings() -> None:
    """PaddleDetection's configuration files, release 2.6."""
    groups: dict[str, int] = {}
    for card in CARDS.values():
        groups[card.group] = groups.get(card.group, 0) + 1
        any_shape = card.group in ("vehicle", "airplane", "several classes")
        assert (card.tracker.get("min_box_area") == 0) == any_shape, card.name
        assert (card.tracker.get("vertical_ratio") == 0) == any_shape, card.name
        assert (card.tracker.get("tracker") == "ppdet_byte") == card.name.endswith("bytetracker")
        assert card.bundled or f"{card.input_size[0]}x{card.input_size[1]}" in card.name
        assert recommended_tracker(card.name).settings.conf_thres == 0.4
    assert groups == {"pedestrian": 15, "head": 1, "airplane": 1, "vehicle": 7, "several classes": 7}
    classes = {len(card.classes) for card in CARDS.values()}
    assert classes == {1, 4, 10, 11}


@pytest.mark.parametrize(
    ("file", "card"),
    [
        ("fairmot_dla34_30e_1088x608.pdparams", "fairmot_dla34_30e_1088x608"),
        ("fairmot_dla34_30e_1088x608 (2).safetensors", "fairmot_dla34_30e_1088x608"),
        ("FairMOT_dla34_30e_1088x608_kitti_vehicle-final.pdparams", "fairmot_dla34_30e_1088x608_kitti_vehicle"),
        ("fairmot_dla34_30e_1088x6080.pdparams", None),
        ("mcfairmot_dla34_30e_1088x608_visdrone.npz", "mcfairmot_dla34_30e_1088x608_visdrone"),
        ("mot20_fairmot.pth", "mot20_fairmot"),
        ("model_final.pdparams", None),
    ],
)
def test_file_names_find_their_card(file: str, card: str | None) -> None:
    found = card_of_file(Path("/somewhere") / file)
    assert (found.name if found else None) == card


# -- downloading ----------------------------------------------------------------------------------------------------


class Server:
    """A local web server with one file; `behave` decides what each request gets."""

    def __init__(self) -> None:
        self.content = pickle.dumps(tensors())
        self.etag: str | None = '"one"'
        self.behave: Callable[[Handler], bool] = lambda request: False  # whether it dealt with the request itself
        self.ranges: list[str | None] = []
        outer = self

        class Bound(Handler):
            server_state = outer

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/models"


class Handler(http.server.BaseHTTPRequestHandler):
    server_state: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server_state.ranges.append(self.headers.get("Range"))
        if not self.server_state.behave(self):
            self.send_file()

    def send_file(self, stop: int | None = None, extra: int = 0, ranges: bool = True) -> None:
        """The file from the wanted range on; cut at `stop`, or with `extra` bytes promised but never sent."""
        content, start = self.server_state.content, 0
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and ranges and self.headers.get("If-Range") == self.server_state.etag:
            start = int(wanted[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start + extra))
        if self.server_state.etag:
            self.send_header("ETag", self.server_state.etag)
        self.end_headers()
        self.wfile.write(content[start:stop])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    running = Server()
    monkeypatch.setenv("FAIRMOT_LAB_MIRROR", running.url + "/")
    yield running
    running.http.shutdown()
    running.http.server_close()


def download(**settings: float) -> Path:
    return download_of_download(NAME, progress=False, pause=0.0, **settings)


def first(*behaviours: Callable[[Handler], object]) -> Callable[[Handler], bool]:
    """Behave so for the first requests, and well afterwards."""
    left = list(behaviours)

    def behave(request: Handler) -> bool:
        if left:
            left.pop(0)(request)
            return True
        return False

    return behave


def test_download_and_record(server: Server, cache: Path) -> None:
    path = download()
    assert path == cache / "models" / f"{NAME}.pdparams"
    assert path.read_bytes() == server.content
    assert hashlib.sha256(server.content).hexdigest() in path.with_suffix(".json").read_text()
    assert sorted(file.suffix for file in path.parent.iterdir()) == [".json", ".pdparams"]
    assert download() == path
    assert len(server.ranges) == 1  # the second time nothing is fetched
    assert state(find_card(NAME)) == "in cache"


def test_cut_connections_are_resumed(server: Server) -> None:
    server.behave = first(lambda request: request.send_file(stop=1000), lambda request: request.send_file(stop=2500))
    assert download().read_bytes() == server.content
    assert server.ranges == [None, "bytes=1000-", "bytes=2500-"]


def test_a_transfer_goes_on_in_another_process(server: Server) -> None:
    server.behave = first(lambda request: request.send_file(stop=1000), *[lambda request: request.send_error(503)] * 2)
    with pytest.raises(DownloadError, match="503"):
        download(attempts=2)
    assert state(find_card(NAME)) == "begun"
    code = f"from fairmot_lab.detection.download import download; download({NAME!r}, progress=False)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert server.ranges[-1] == "bytes=1000-"
    assert find_card(NAME).path.read_bytes() == server.content


def test_content_that_changes_between_two_connections_is_fetched_anew(server: Server) -> None:
    def cut_and_change(request: Handler) -> None:
        request.send_file(stop=1000)
        server.content, server.etag = pickle.dumps({"other": np.ones(1000, np.float32)}), '"two"'

    server.behave = first(cut_and_change)
    assert download().read_bytes() == server.content


@pytest.mark.parametrize("etag", ['"one"', None])
def test_a_server_without_ranges(server: Server, etag: str | None) -> None:
    server.etag = etag
    server.behave = first(lambda request: request.send_file(stop=1000), lambda request: request.send_file(ranges=False))
    assert download().read_bytes() == server.content


def test_a_server_that_never_gives_all_it_promised(server: Server) -> None:
    size = len(server.content)
    server.behave = lambda request: request.send_file(extra=100) or True
    with pytest.raises(
        DownloadError, match=rf"the connection ended after {size} of {size + 100} bytes.*by hand at .*{NAME}"
    ):
        download()
    assert not find_card(NAME).path.exists()


def test_a_file_that_was_cut_before_the_server_got_it(server: Server) -> None:
    server.behave = lambda request: request.send_file(stop=10, extra=10 - len(server.content)) or True
    with pytest.raises(DownloadError, match="did not give weights"):
        download()
    assert not find_card(NAME).path.exists()


def test_content_that_changed_since_the_first_download_is_refused(server: Server) -> None:
    path = download()
    path.unlink()
    server.content, server.etag = pickle.dumps({"other": np.ones(10)}), '"two"'
    with pytest.raises(DownloadError, match=r"has changed: its SHA-256 is \w{64}, it was \w{64} when it was first"):
        download()
    assert not path.exists()
    path.with_suffix(".json").unlink()
    assert download() == path


def test_a_file_that_changed_in_the_cache_is_refused(server: Server) -> None:
    path = download()
    damaged = bytearray(path.read_bytes())
    damaged[-20] ^= 1
    path.write_bytes(damaged)
    for use in (download, lambda: find_weights(NAME)):
        with pytest.raises(WeightsError, match="has changed since it was recorded"):
            use()


def test_redirects_are_followed(server: Server) -> None:
    def redirect(request: Handler) -> None:
        request.send_response(302)
        request.send_header("Location", server.url + "/elsewhere")
        request.end_headers()

    server.behave = first(redirect)
    assert download().read_bytes() == server.content


def test_a_redirect_without_end(server: Server) -> None:
    def redirect(request: Handler) -> bool:
        request.send_response(302)
        request.send_header("Location", request.path)
        request.end_headers()
        return True

    server.behave = redirect
    with pytest.raises(DownloadError, match="302"):
        download()


def test_not_found(server: Server) -> None:
    server.behave = lambda request: request.send_error(404) or True
    with pytest.raises(DownloadError, match=rf"answered 404 Not Found\); .*FAIRMOT_LAB_MIRROR.*{NAME}\.pdparams"):
        download()
    assert len(server.ranges) == 1


def test_a_server_that_is_busy_for_a_while(server: Server) -> None:
    server.behave = first(*[lambda request: request.send_error(503)] * 3)
    assert download().read_bytes() == server.content


def test_a_slow_server_is_waited_for(server: Server) -> None:
    def drip(request: Handler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(server.content)))
        request.end_headers()
        for start in range(0, len(server.content), 2000):
            time.sleep(0.1)
            request.wfile.write(server.content[start : start + 2000])

    server.behave = first(drip)
    assert download(timeout=1.0).read_bytes() == server.content


def test_a_server_that_falls_silent(server: Server) -> None:
    released = threading.Event()

    def hang(request: Handler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(server.content)))
        request.send_header("ETag", '"one"')
        request.end_headers()
        request.wfile.write(server.content[:500])
        released.wait(10)

    server.behave = first(hang)
    assert download(timeout=0.3).read_bytes() == server.content
    released.set()
    assert server.ranges == [None, "bytes=500-"]


def drip(request: Handler, content: bytes = b"x" * 10**6) -> bool:
    """A byte every 20 ms, as long as the other side listens."""
    with contextlib.suppress(OSError):
        for byte in content:
            request.wfile.write(bytes([byte]))
            time.sleep(0.02)
    return True


def test_a_server_that_drips_is_given_up(server: Server) -> None:
    def behave(request: Handler) -> bool:
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        return drip(request)

    server.behave = behave
    with pytest.raises(DownloadError, match=r"the server sent \d+ bytes in \d+ seconds"):
        download(timeout=0.2, attempts=2)
    assert len(server.ranges) == 2


def test_headers_that_drip_are_given_up(server: Server) -> None:
    server.behave = lambda request: drip(request, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10**5)
    with pytest.raises(DownloadError, match="could not be downloaded"):
        download(timeout=0.2, attempts=2)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        ("abc", "gives 'abc' as the length"),
        ("-5", "gives '-5' as the length"),
        ("9" * 15, "promises 9{15} bytes; the file has about 87 MB"),
        ("9" * 400, "as the length"),
    ],
)
def test_an_impossible_content_length(length: str, words: str, server: Server) -> None:
    def behave(request: Handler) -> bool:
        request.send_response(200)
        request.send_header("Content-Length", length)
        request.end_headers()
        return True

    server.behave = behave
    with pytest.raises(DownloadError, match=words):
        download()
    assert len(server.ranges) == 1


def test_a_download_without_end_is_cut(server: Server, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(ModelCard, "most_bytes", 10**6)

    def behave(request: Handler) -> bool:
        request.send_response(200)
        request.end_headers()
        with contextlib.suppress(OSError):
            while True:
                request.wfile.write(bytes(2**16))
        return True

    server.behave = behave
    with pytest.raises(DownloadError, match="sent more than 1000000 bytes; the file has about 87 MB"):
        download()
    assert sum(file.stat().st_size for file in (cache / "models").iterdir()) == 0


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x"])
def test_redirects_leave_the_web_server_for_nothing_else(target: str, server: Server) -> None:
    def redirect(request: Handler) -> bool:
        request.send_response(302)
        request.send_header("Location", target)
        request.end_headers()
        return True

    server.behave = redirect
    with pytest.raises(DownloadError, match="could not be downloaded"):
        download(attempts=1)


@pytest.mark.parametrize("mirror", ["file:///etc", "nonsense", "http://", "https://a b", "http://u:p@host/x", "\x00"])
def test_a_mirror_that_is_not_an_address(mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "FAIRMOT_LAB_MIRROR": mirror})
    with pytest.raises(DownloadError, match=r"FAIRMOT_LAB_MIRROR is .* is not an address"):
        download()


def test_two_processes_do_not_download_the_same_file(server: Server, cache: Path) -> None:
    with lock(find_card(NAME).path, "held"), pytest.raises(WriteError, match="being downloaded by another process"):
        download()


def test_a_cache_of_somebody_else_is_refused(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = download()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    path.parent.mkdir(exist_ok=True)
    os.chown(path.parent, 54321, -1) if os.geteuid() == 0 else pytest.skip("needs root")
    with pytest.raises(WriteError, match="belongs to another user"):
        find_weights(NAME)


def test_a_login_page_instead_of_weights(server: Server) -> None:
    server.content = b"<html>please log in</html>"
    with pytest.raises(DownloadError, match="did not give weights"):
        download()
    assert state(find_card(NAME)) == "not here"


def test_offline_says_where_to_put_the_file(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("FAIRMOT_LAB_MIRROR", "http://127.0.0.1:9/models")  # the port of discard: nobody listens
    wanted = re.escape(str(cache / "models" / f"{NAME}.pdparams"))
    with pytest.raises(DownloadError, match=rf"Connection refused.*put the file by hand at {wanted}"):
        find_weights(NAME)
    (cache / "models" / f"{NAME}.pdparams").write_bytes(pickle.dumps(tensors()))
    assert find_weights(NAME).architecture == "dla34"
    assert (cache / "models" / f"{NAME}.json").exists()  # what was put there by hand is recorded too


# -- command line ---------------------------------------------------------------------------------------------------


def test_models_list_shows_every_official_model(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    assert cli.main(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = [at for at, line in enumerate(lines) if line.startswith("  ") and line[2] != " "]
    shown = {
        lines[at].split()[0]: " ".join(" ".join(lines[at:end]).split())
        for at, end in zip(named, [*named[1:], len(lines)], strict=True)
    }
    assert max(len(line) for line in lines if str(cache) not in line) <= 80  # a path is not broken
    assert len([name for name in shown if name in CARDS]) == 31
    assert [line for line in lines if line.endswith(":")] == [
        "pedestrian:",
        "head:",
        "airplane:",
        "vehicle:",
        "several classes:",
        "FairMOT's authors (.pth files, to be downloaded by hand):",
    ]
    assert "mot20_fairmot" in "".join(lines)
    assert "HarDNet-85" in shown["fairmot_enhance_hardnet85_30e_1088x608"]
    assert "MOT17 test 74.7 / 70.7 / 3210" in shown["fairmot_enhance_hardnet85_30e_1088x608"]
    assert "bundled" in shown["fairmot_lite"]
    assert "not here" in shown[NAME]
    assert str(cache) in "".join(lines[-3:])


def test_models_download_and_its_mistakes(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "download", NAME]) == 0
    captured = capsys.readouterr()
    assert captured.out.strip() == str(find_card(NAME).path)
    assert "100%" in captured.err
    assert cli.main(["models", "download", "fairmot_dla3"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
