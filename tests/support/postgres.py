"""A real PostgreSQL for the tests marked `postgres`: fresh folder, free loopback port, ended with the session.

The programs are those of `support/get-postgres` (`make postgres`): POSTGRES_BIN, PATH, Debian's folders, .postgres.
Without them the tests are skipped with the reason; where CI is set they fail instead, so that nothing is skipped
unseen. The server refuses to run as root, so that root lends it the user `nobody`.

By its socket everybody is whom they say they are; by its port they need the password, as an office does.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).parents[2]
SUPERUSER = "postgres"
PASSWORD = "only for tests on loopback"
CERTIFICATE = "server.crt"
_NOBODY = 65_534
_START_TIMEOUT_S = 60
_NUMBERS = count(1)


@dataclass(frozen=True)
class Server:
    """A running server. `folder` holds its data and its socket."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] = field(repr=False)

    def url(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Return a URL by the socket, without a password."""
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def loopback_url(self, database: str, user: str, *, port: int | None = None) -> str:
        """Return a URL by TCP, for which a password is needed; `port` names another way to the same server."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}?sslmode=disable"

    def execute(self, *statements: str, database: str = "postgres", user: str = SUPERUSER) -> list[tuple[object, ...]]:
        """Run statements, each on its own, and return the last one's rows."""
        with psycopg.connect(self.url(database, user), autocommit=True) as connection:
            rows: list[tuple[object, ...]] = []
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
            return rows

    def new_database(self) -> str:
        """Create an empty database and return its name."""
        name = f"custody_{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def new_login(self, *roles: str) -> str:
        """Create a login with a password and membership in the given roles, and return its name."""
        name = f"office_{next(_NUMBERS)}"
        self.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'", *(f"GRANT {role} TO {name}" for role in roles))
        return name


def find_programs() -> Path | None:
    """Return the folder of initdb and postgres, None when there is none."""
    named = os.environ.get("POSTGRES_BIN")
    if named:
        return Path(named)
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(debian, key=lambda path: float(path.parent.name), reverse=True)
    folders += [(ROOT / ".postgres" / "bin").resolve()]
    return next((path for path in folders if (path / "initdb").exists() and (path / "postgres").exists()), None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Start a server; end it with the session."""
    programs = find_programs()
    if programs is None:
        reason = "no PostgreSQL: run `make postgres`, or set POSTGRES_BIN"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="custody-postgres-") as name:
        server = start(programs, Path(name))
        try:
            yield server
        finally:
            stop(server.process)


def start(programs: Path, folder: Path) -> Server:
    """Make a data folder, start a server on it and wait until it answers."""
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
    (folder / "password").write_text(PASSWORD)
    _write_certificate(folder)
    data = folder / "data"
    initialise = [programs / "initdb", "-D", data, "-U", SUPERUSER, f"--pwfile={folder / 'password'}", "--no-sync"]
    initialise += ["--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    made = subprocess.run(initialise, capture_output=True, text=True, check=False, cwd=folder, **_identity(programs))
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed: {made.stdout[-1000:]}\n{made.stderr[-2000:]}")
    return restart(programs, folder, _free_port())


def restart(programs: Path, folder: Path, port: int) -> Server:
    """Start a server on a data folder that is there."""
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(folder),
        "shared_buffers": "16MB",
        "max_connections": "60",
        "ssl": "on",
        "ssl_cert_file": str(folder / CERTIFICATE),
        "ssl_key_file": str(folder / "server.key"),
    }
    command = [programs / "postgres", "-D", folder / "data", "-p", str(port)]
    command += [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    log = (folder / "server.log").open("ab")
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, **_identity(programs))
    log.close()
    server = Server(folder, port, process)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            server.execute("SELECT 1")
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                output = (folder / "server.log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start: {error}\n{output[-2000:]}") from error
            time.sleep(0.05)
        else:
            return server


def _write_certificate(folder: Path) -> None:
    """Write a certificate for `localhost` that signs itself, and its key, as the server wants them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / CERTIFICATE).write_bytes(certificate.public_bytes(Encoding.PEM))
    secret = folder / "server.key"
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    secret.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(secret, _NOBODY, _NOBODY)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server at once: nothing of it is kept (SIGQUIT, its immediate shutdown)."""
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(_START_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _identity(programs: Path) -> dict[str, object]:
    """Return how the programs are run: as nobody where we are root, with the libraries unpacked beside them."""
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C", "TZ": "UTC"}
    unpacked = (ROOT / ".postgres").resolve()
    if programs.is_relative_to(unpacked):
        environment["LD_LIBRARY_PATH"] = str(unpacked / "lib")
    if os.geteuid() == 0:
        return {"env": environment, "user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    return {"env": environment}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
