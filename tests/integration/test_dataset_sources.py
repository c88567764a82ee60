"""Where data sets may come from, over real files and real HTTP."""

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blocks.dataset_downloads import DatasetDownloads
from blocks.public_addresses import is_public
from maos.errors import BadInput
from maos.settings import Settings
from tasks.datasets import EXAMPLES, inspect_dataset

TABLE = b"region,revenue\nNorth,10\nSouth,20\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    return Settings(home=tmp_path / "home", dataset_roots=[tmp_path / "data"])


@pytest.fixture
def private(settings: Settings) -> Settings:
    return settings.model_copy(update={"allow_private_dataset_hosts": True})


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append((self.headers["Host"], self.path))  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        if location := {"/moved": "/sales.csv", "/loop": "/loop", "/inside": "http://[::1]:1/x"}.get(path):
            self.send_response(302)
            self.send_header("Location", location)
            self.end_headers()
            return
        body = {"/sales.csv": TABLE, "/page": b"<!doctype html><p>Log in", "/large.csv": TABLE * 100}.get(path)
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as running:
        running.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def address(server: ThreadingHTTPServer) -> str:
    return f"http://localhost:{server.server_port}"


def refused(dataset: str, settings: Settings) -> BadInput:
    with pytest.raises(BadInput) as error:
        inspect_dataset(dataset, org="demo", settings=settings)
    assert error.value.field == "dataset"
    return error.value


def put(path: Path, content: bytes = TABLE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_files_of_the_roots_the_examples_and_the_organisation_are_read(settings: Settings, tmp_path: Path) -> None:
    root = put(tmp_path / "data" / "deep" / "sales.csv")
    own = put(settings.dataset_store / "demo" / "sales.csv")

    for path in (root, own, EXAMPLES / "generate_report" / "orders.csv"):
        assert inspect_dataset(str(path), org="demo", settings=settings).row_count >= 2


def test_a_relative_path_is_one_inside_a_root(settings: Settings, tmp_path: Path) -> None:
    put(tmp_path / "data" / "deep" / "sales.csv")

    facts = inspect_dataset("deep/sales.csv", org="demo", settings=settings)

    assert (facts.source, facts.row_count) == ("deep/sales.csv", 2)


def test_everything_else_on_this_machine_is_refused(settings: Settings, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside.csv")
    (tmp_path / "data" / "link.csv").symlink_to(outside)
    other = put(settings.dataset_store / "other" / "sales.csv")
    roots = f"a file under {tmp_path / 'data'}, "

    for dataset in (
        str(outside),
        str(tmp_path / "data" / "link.csv"),
        str(tmp_path / "data" / ".." / "outside.csv"),
        "../outside.csv",
        "/etc/passwd",
        str(other),
        "../other/sales.csv",
        str(settings.home / "connection.json"),
    ):
        error = refused(dataset, settings)
        assert error.value == dataset
        assert error.allowed.startswith(roots) or error.allowed == "a file that exists"


@pytest.mark.parametrize("org", ["", ".", "..", "a/b", "/etc"])
def test_an_organisation_cannot_name_its_way_out_of_its_store(settings: Settings, org: str) -> None:
    with pytest.raises(BadInput) as error:
        inspect_dataset("sales.csv", org=org, settings=settings)

    assert error.value.field == "org"


def test_a_link_within_a_root_is_followed(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "data" / "link.csv").symlink_to(put(tmp_path / "data" / "sales.csv"))

    assert inspect_dataset("link.csv", org="demo", settings=settings).row_count == 2


@pytest.mark.parametrize("dataset", ["missing.csv", ".", "deep", "\0.csv", "x" * 5000])
def test_what_is_no_file_is_refused(settings: Settings, tmp_path: Path, dataset: str) -> None:
    (tmp_path / "data" / "deep").mkdir()

    refused(dataset, settings)


def test_a_name_with_wildcards_opens_that_file_only(settings: Settings, tmp_path: Path) -> None:
    put(tmp_path / "data" / "a[1]*'.csv", b"x,y\n1,2\n")
    put(tmp_path / "data" / "a1b'.csv", b"p,q\n3,4\n5,6\n")

    assert inspect_dataset("a[1]*'.csv", org="demo", settings=settings).row_count == 1


@pytest.mark.parametrize(
    ("dataset", "allowed"),
    [
        ("file:///etc/passwd", "a path, or an http://, https:// or s3:// address"),
        ("ftp://host/sales.csv", "a path, or an http://, https:// or s3:// address"),
        ("http://[broken", "an http:// or https:// address"),
        ("http://", ""),
    ],
)
def test_addresses_of_other_kinds_are_refused(private: Settings, dataset: str, allowed: str) -> None:
    assert allowed in refused(dataset, private).allowed


def test_a_password_in_an_address_is_refused_and_not_repeated(private: Settings) -> None:
    assert "secret" not in str(refused("http://user:secret@data.example/sales.csv", private))


def test_a_data_set_is_fetched_over_http(private: Settings, server: ThreadingHTTPServer, address: str) -> None:
    facts = inspect_dataset(f"{address}/sales.csv?signature=secret", org="demo", settings=private)

    assert (facts.row_count, facts.size, facts.display_name) == (2, len(TABLE), "http://localhost/sales.csv")
    # The name of the host goes on the wire, though the connection is made to the address that was checked.
    assert server.asked[-1][0].startswith("localhost:")  # type: ignore[attr-defined]


def test_a_redirect_is_followed(private: Settings, address: str) -> None:
    assert inspect_dataset(f"{address}/moved", org="demo", settings=private).row_count == 2


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/nothing", "it answers 404"),
        ("/loop", "it redirects too often"),
        ("/page", "it is a web page"),
        ("/inside", "it cannot be reached"),
    ],
)
def test_an_address_that_delivers_no_table_is_refused(private: Settings, address: str, path: str, allowed: str) -> None:
    assert allowed in refused(f"{address}{path}?signature=secret", private).allowed


def test_an_error_does_not_repeat_the_secrets_of_an_address(private: Settings, address: str) -> None:
    assert "secret" not in str(refused(f"{address}/nothing?signature=secret", private))


def test_private_hosts_are_not_even_asked(settings: Settings, server: ThreadingHTTPServer, address: str) -> None:
    before = len(server.asked)  # type: ignore[attr-defined]
    port = server.server_port

    for url in (
        f"{address}/sales.csv",
        f"http://127.0.0.1:{port}/sales.csv",
        f"http://127.1:{port}/sales.csv",
        f"http://2130706433:{port}/sales.csv",
        f"http://0x7f000001:{port}/sales.csv",
        f"http://[::ffff:127.0.0.1]:{port}/sales.csv",
        f"http://0.0.0.0:{port}/sales.csv",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.7/sales.csv",
    ):
        assert refused(url, settings).allowed == "an address on the public internet"
    assert len(server.asked) == before  # type: ignore[attr-defined]


def test_a_public_address_cannot_redirect_to_a_private_one(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server stands for a public one: its own address passes, the address it redirects to does not.
    monkeypatch.setattr("blocks.public_addresses.is_public", lambda each: each != ipaddress.ip_address("::1"))

    with pytest.raises(BadInput, match="an address on the public internet"):
        DatasetDownloads().fetch(f"{address}/inside", tmp_path / "target")


def test_a_name_is_resolved_once_so_that_it_cannot_change_after_the_check(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    real = socket.getaddrinfo

    def counted(host: object, *args: object, **kwargs: object) -> object:
        if host == "localhost":
            asked.append(host)
        return real(host, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", counted)
    DatasetDownloads().fetch(f"{address}/sales.csv", tmp_path / "target", allow_private=True)

    assert len(asked) == 1
    assert (tmp_path / "target").read_bytes() == TABLE


def test_a_file_that_is_too_large_is_refused_while_it_arrives(address: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a file of at most 1,000 bytes"):
        DatasetDownloads(max_bytes=1000).fetch(f"{address}/large.csv", tmp_path / "target", allow_private=True)


def test_a_file_that_drips_in_is_refused_at_the_deadline(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_drip, args=(listener,), daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/drip.csv"

    with listener, pytest.raises(BadInput, match=r"a file that arrives in 0\.3 s"):
        DatasetDownloads(timeout_seconds=0.3).fetch(url, tmp_path / "target", allow_private=True)


def _drip(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        pause = threading.Event()
        for _ in range(100):
            connection.sendall(b"x")
            pause.wait(0.05)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address to refuse, none to listen on
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::a00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_an_address_is_public_only_with_everything_embedded_in_it(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public
