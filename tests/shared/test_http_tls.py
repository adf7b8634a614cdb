"""Kinds of failure with TLS: until the handshake is done, nothing of a request has left."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared import clock
from shared.http import Lost, NotSent, SendingClient, StartedTooLate
from shared.security.addresses import AddressPolicy
from tests.shared.fault_proxy import Fault, faulty_wire

SHORT = 0.3
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    def on_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(coroutine)

    return on_loop


def certify(folder: Path, *, ip: str = "127.0.0.1", days: int = 1) -> Path:
    """Write a key and a certificate that signs itself; a negative number of days has passed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wire")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(ip))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{ip}{days}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def serving(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def trusting(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(path))


async def say(
    port: int, tls: ssl.SSLContext | None, *, connect_timeout: float = 20.0, **options: Any
) -> str:
    client = SendingClient(
        AddressPolicy([f"127.0.0.1:{port}"]), tls=tls, connect_timeout=connect_timeout
    )
    try:
        url = f"https://127.0.0.1:{port}/send"
        return f"answer:{(await client.post(url, headers={}, body=b'{}', **options)).status}"
    except StartedTooLate:
        return "started_too_late"
    except NotSent as error:
        return f"not_sent:{error.code}"
    except Lost as error:
        return f"lost:{error.code}"
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("ip", "days", "trusted", "expected"),
    [
        ("127.0.0.1", 1, True, "answer:200"),
        ("127.0.0.1", 1, False, "not_sent:tls_certificate"),
        ("127.0.0.1", -1, True, "not_sent:tls_certificate"),
        ("127.0.0.2", 1, True, "not_sent:tls_certificate"),
    ],
)
def test_a_certificate_is_checked_before_a_byte_leaves(
    run: Run, tmp_path: Path, ip: str, days: int, trusted: bool, expected: str
) -> None:
    path = certify(tmp_path, ip=ip, days=days)

    async def scenario() -> None:
        async with faulty_wire(Fault(then="keep"), tls=serving(path)) as wire:
            assert await say(wire.port, trusting(path) if trusted else None) == expected

            assert len(wire.platform.received) == (expected == "answer:200")

    run(scenario())


def test_versions_that_do_not_meet_are_not_sent(run: Run, tmp_path: Path) -> None:
    path = certify(tmp_path)
    old, new = serving(path), trusting(path)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    new.minimum_version = ssl.TLSVersion.TLSv1_3

    async def scenario() -> None:
        async with faulty_wire(Fault(then="keep"), tls=old) as wire:
            assert await say(wire.port, new) == "not_sent:tls_failed"

            assert wire.platform.received == []

    run(scenario())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(passes="nothing", then="close"), "not_sent:tls_failed"),
        (Fault(passes="nothing", then="reset"), "not_sent:tls_failed"),
        (Fault(passes="nothing", then="hang"), "not_sent:tls_timeout"),
        (
            Fault(passes="nothing", answer=b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "not_sent:tls_failed",
        ),
    ],
)
def test_a_handshake_that_fails_is_not_sent(run: Run, fault: Fault, expected: str) -> None:
    async def scenario() -> None:
        async with faulty_wire(fault) as wire:  # Without TLS on the other side.
            patience = SHORT if expected == "not_sent:tls_timeout" else 20
            assert await say(wire.port, None, connect_timeout=patience) == expected

            assert wire.platform.received == []

    run(scenario())


def test_a_handshake_that_outlasts_the_deadline_is_too_late(run: Run) -> None:
    async def scenario() -> None:
        async with faulty_wire(Fault(passes="nothing", then="hang")) as wire:
            said = await say(wire.port, None, start_before=clock.ticks() + SHORT / 3)

            assert said == "started_too_late"

    run(scenario())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(), "answer:200"),
        (Fault(answer=b""), "lost:connection_"),
        (Fault(answer=b"", then="reset"), "lost:connection_"),
        (Fault(answer=b"", then="hang"), "lost:answer_timeout"),
        (Fault(answer=b"HTTP/1.1 200 OK\r\nContent-Le"), "lost:answer_cut"),
        (Fault(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"), "lost:answer_cut"),
        (Fault(answer=b"220 smtp.example\r\n"), "lost:answer_garbled"),
        (Fault(passes="head"), "lost:connection_"),
        (Fault(passes="half_body", then="reset"), "lost:connection_"),
    ],
)
def test_after_the_handshake_the_same_classes_hold(
    run: Run, tmp_path: Path, fault: Fault, expected: str
) -> None:
    path = certify(tmp_path)

    async def scenario() -> None:
        async with faulty_wire(fault, tls=serving(path)) as wire:
            timeout = SHORT if expected == "lost:answer_timeout" else 20
            said = await say(wire.port, trusting(path), timeout=timeout)

            assert said.startswith(expected)
            assert len(wire.platform.received) == (fault.passes == "all")

    run(scenario())
