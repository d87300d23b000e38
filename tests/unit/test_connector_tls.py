"""All clients share what they trust, and still each checks the store's certificate and its name."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.http import Net, http_client, httpx_tls, requests_session, requests_tls
from core.errors import Unreachable

PRIVATE = Net(allow_private=True, connect_timeout_s=5.0, read_timeout_s=5.0)


def _certificate() -> tuple[bytes, bytes]:
    """A certificate that vouches for itself as shop.example, and its key; both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what these tests are about."""


@pytest.fixture
def forget() -> Iterator[None]:
    """What a test adds to the trusted certificates is trusted by no other test."""
    yield
    httpx_tls.cache_clear()
    requests_tls.cache_clear()


@contextlib.contextmanager
def _serving(folder: Path, *, trusted: bool) -> Iterator[int]:
    certificate, key = _certificate()
    pem = folder / "shop.pem"
    pem.write_bytes(key + certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    if trusted:
        for context in (httpx_tls(), requests_tls()):
            context.load_verify_locations(cadata=certificate.decode())
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def _through_httpx(url: str) -> int:
    with http_client("", PRIVATE, {}) as client:
        return client.get(url).status_code


def _through_requests(url: str) -> int:
    session: requests.Session
    with requests_session(PRIVATE) as session:
        return session.get(url).status_code


both = pytest.mark.parametrize("status_of", [_through_requests, _through_httpx])


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name leads to this machine."""

    def lookup(_host: str, port: int | None, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port or 0))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@both
@pytest.mark.usefixtures("here", "forget")
def test_a_store_is_believed_by_the_name_its_certificate_bears(status_of: Callable[[str], int], tmp_path: Path) -> None:
    with _serving(tmp_path, trusted=True) as port:
        assert status_of(f"https://shop.example:{port}/") == httpx.codes.OK
        assert _through_requests(f"https://shop.example:{port}/") == httpx.codes.OK
        with pytest.raises(Unreachable):
            status_of(f"https://other.example:{port}/")


@both
@pytest.mark.usefixtures("here", "forget")
def test_a_certificate_of_nobody_is_refused(status_of: Callable[[str], int], tmp_path: Path) -> None:
    with _serving(tmp_path, trusted=False) as port, pytest.raises(Unreachable):
        status_of(f"https://shop.example:{port}/")


@both
@pytest.mark.usefixtures("here")
def test_a_second_client_reads_no_certificates_again(
    status_of: Callable[[str], int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    httpx_tls()
    requests_tls()
    read: list[object] = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **files: read.append(files), raising=False)

    with _serving(tmp_path, trusted=False) as port, pytest.raises(Unreachable):
        status_of(f"https://shop.example:{port}/")

    assert read == []
