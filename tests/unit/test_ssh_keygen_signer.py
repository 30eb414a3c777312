"""The person's own ssh-keygen as signer: file, agent and passphrase, and each way in which it fails."""

import os
import pty
import select
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from custody.codes import Code
from custody.documents.sshsig import SshSignature, verify_sshsig
from custody.documents.sshsig_keys import SshKeyType, SshPublicKey
from custody.errors import CustodyError, DeviceUnavailable, InvalidInput
from custody.ports import StatementSigner
from custody_cli.ssh_keygen import SshKeygenSigner
from support.ssh import KEYGEN_TYPES, SoftSigner, SshKeygen

STATEMENT = b"custody-approve/1\namount 150000000 sat\n"
SPACE = "custody-approve/1"
PASSPHRASE = "correct horse"


def made_by(armored: str) -> SshPublicKey:
    return verify_sshsig(SshSignature.from_armored(armored), STATEMENT, namespace=SPACE)


def failure(signer: StatementSigner) -> CustodyError:
    with pytest.raises(CustodyError) as failed:
        signer.sign(STATEMENT, namespace=SPACE)
    return failed.value


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Give the path of a key that only a program in the way of ssh-keygen ever sees."""
    path = tmp_path / "id"
    path.write_text("not read by us")
    return path


def put_in_the_way(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Let a shell script stand where ssh-keygen is looked for."""
    home = folder / "bin"
    home.mkdir()
    (home / "ssh-keygen").write_text(f"#!/bin/sh\n{script}\n")
    (home / "ssh-keygen").chmod(0o700)
    monkeypatch.setenv("PATH", str(home))


@pytest.mark.parametrize("key_type", KEYGEN_TYPES)
def test_signs_with_the_private_file_or_its_public_half(key_type: SshKeyType, ssh_keygen: SshKeygen) -> None:
    path = ssh_keygen.key(key_type)
    key = SshPublicKey.from_text(ssh_keygen.public(key_type))
    told: list[str] = []
    assert made_by(SshKeygenSigner(path, talk=told.append).sign(STATEMENT, namespace=SPACE)) == key
    assert made_by(SshKeygenSigner(Path(f"{path}.pub")).sign(STATEMENT, namespace=SPACE)) == key
    assert len(told) == 1 and str(path) in told[0]


def test_signs_with_a_key_that_only_the_agent_has(
    ssh_keygen: SshKeygen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ssh_keygen.key(SshKeyType.ED25519, "agent")
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE)
    try:
        assert agent.stdout is not None
        agent.stdout.readline()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        subprocess.run(["ssh-add", "-q", path], check=True, stdin=subprocess.DEVNULL)
        alone = tmp_path / "agent.pub"
        alone.write_text(ssh_keygen.public(SshKeyType.ED25519, "agent"))
        signed = SshKeygenSigner(alone).sign(STATEMENT, namespace=SPACE)
    finally:
        agent.terminate()
        agent.communicate()
    assert made_by(signed) == SshPublicKey.from_text(alone.read_text())
    refused = failure(SshKeygenSigner(alone))
    assert isinstance(refused, DeviceUnavailable) and refused.code is Code.STATEMENT_NOT_SIGNED


SIGN_IN_A_CHILD = """
import fcntl, pathlib, sys, termios
if sys.stdin.isatty():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from custody.errors import CustodyError
from custody_cli.ssh_keygen import SshKeygenSigner
try:
    answer = SshKeygenSigner(pathlib.Path(sys.argv[1])).sign(sys.argv[2].encode(), namespace=sys.argv[3])
except CustodyError as error:
    answer = f"{error.exit_code} {error.code} {error.message}"
print(answer, end="")
"""


def sign_in_a_child(key: Path, stdin: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start a session of its own, so that a prompt never lands on the terminal of whoever runs the tests."""
    command = [sys.executable, "-c", SIGN_IN_A_CHILD, str(key), STATEMENT.decode(), SPACE]
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    )


def read_until(master: int, wanted: bytes) -> bytes:
    """Read from a terminal until it shows `wanted`, for at most 30 s of silence."""
    seen = b""
    while wanted not in seen:
        ready, _, _ = select.select([master], [], [], 30)
        assert ready, f"the terminal shows {seen!r}, never {wanted!r}"
        seen += os.read(master, 1000)
    return seen


def test_asks_for_the_passphrase_on_the_terminal_even_on_a_desktop(ssh_keygen: SshKeygen) -> None:
    """With a window system but no askpass program, ssh-keygen would take an empty passphrase."""
    key = ssh_keygen.key(SshKeyType.ED25519, "locked", passphrase=PASSPHRASE)
    master, slave = pty.openpty()
    try:
        attributes = termios.tcgetattr(slave)
        with sign_in_a_child(key, slave, {"DISPLAY": ":0", "SSH_ASKPASS": "/nonexistent/askpass"}) as child:
            try:
                shown = read_until(master, b"passphrase")
                os.write(master, f"{PASSPHRASE}\n".encode())
                answer, remarks = child.communicate(timeout=60)
            finally:
                child.kill()
        assert termios.tcgetattr(slave)[3] == attributes[3], "the terminal's echo is as it was"
    finally:
        os.close(master)
        os.close(slave)
    assert made_by(answer.decode()) == SshPublicKey.from_text(ssh_keygen.public(SshKeyType.ED25519, "locked"))
    assert PASSPHRASE.encode() not in shown + remarks


def test_a_locked_key_without_a_terminal_is_a_clear_error(ssh_keygen: SshKeygen) -> None:
    key = ssh_keygen.key(SshKeyType.ED25519, "locked", passphrase=PASSPHRASE)
    with sign_in_a_child(key, subprocess.DEVNULL, {"DISPLAY": ""}) as child:
        answer, remarks = child.communicate(timeout=60)
    assert answer.startswith(b"8 STATEMENT_NOT_SIGNED ssh-keygen made no signature: ")
    assert b"passphrase" in answer
    assert remarks == b""


def test_a_certificate_and_a_short_key_are_refused_by_name(ssh_keygen: SshKeygen, tmp_path: Path) -> None:
    short = tmp_path / "short"
    command = [ssh_keygen.program, "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(short)]
    subprocess.run(command, check=True, capture_output=True)
    weak = failure(SshKeygenSigner(short))
    assert isinstance(weak, InvalidInput) and weak.code is Code.SSH_KEY_WEAK

    path, authority = ssh_keygen.key(SshKeyType.ED25519, "certified"), ssh_keygen.key(SshKeyType.ED25519)
    command = [ssh_keygen.program, "-q", "-s", str(authority), "-I", "id", "-n", "ann", f"{path}.pub"]
    subprocess.run(command, check=True, capture_output=True)
    certified = failure(SshKeygenSigner(Path(f"{path}-cert.pub")))
    assert isinstance(certified, InvalidInput) and certified.code is Code.SSH_KEY_UNSUPPORTED


def test_a_missing_ssh_keygen_says_what_to_install(
    key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    missing = failure(SshKeygenSigner(key_file))
    assert (missing.code, missing.exit_code) == (Code.STATEMENT_SIGNER_MISSING, 8)
    assert "openssh-client" in missing.advice


def test_a_missing_key_is_named(tmp_path: Path, ssh_keygen: SshKeygen) -> None:
    del ssh_keygen
    missing = failure(SshKeygenSigner(tmp_path / "no\x1bsuch"))
    assert missing.code is Code.FILE_NOT_FOUND
    assert "\x1b" not in missing.message


def test_what_ssh_keygen_says_is_escaped_and_cut(
    key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = r"printf 'first\033[2J\n\n\377second\r\n' >&2; i=0; while [ $i -lt 500 ]; do printf 'more and more ' >&2"
    put_in_the_way(monkeypatch, tmp_path, f"{script}; i=$((i+1)); done; exit 1")
    told = failure(SshKeygenSigner(key_file))
    assert told.code is Code.STATEMENT_NOT_SIGNED
    assert r"first\u{001B}[2J; " in told.message and "second; more" in told.message
    assert told.message.isprintable()
    assert len(told.message) < 400


def test_silence_and_failure_is_told_as_such(key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_the_way(monkeypatch, tmp_path, "exit 255")
    assert failure(SshKeygenSigner(key_file)).message.endswith("it said nothing")


@pytest.mark.parametrize("script", ["exec /bin/sleep 60", "trap '' TERM; while :; do /bin/sleep 1; done"])
def test_no_answer_in_time_is_told_and_the_program_stopped(
    script: str, key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_the_way(monkeypatch, tmp_path, f"echo $$ > {tmp_path}/pid; {script}")
    late = failure(SshKeygenSigner(key_file, timeout_s=1))
    assert (late.code, late.message) == (Code.STATEMENT_NOT_SIGNED, "ssh-keygen gave no answer within 1 s")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_program_that_can_not_be_run_is_told(key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_the_way(monkeypatch, tmp_path, "")
    (tmp_path / "bin" / "ssh-keygen").write_bytes(b"\x7fELF no program")
    assert "could not be run" in failure(SshKeygenSigner(key_file)).message


def answer_with(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "answer").write_text(text)
    put_in_the_way(monkeypatch, tmp_path, f"/bin/cat > /dev/null; /bin/cat {tmp_path}/answer")


@pytest.mark.parametrize("signed", [(b"another statement", SPACE), (STATEMENT, "file")])
def test_an_answer_for_something_else_is_not_handed_on(
    signed: tuple[bytes, str], key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(SoftSigner().sign(signed[0], namespace=signed[1]), tmp_path, monkeypatch)
    wrong = failure(SshKeygenSigner(key_file))
    assert (wrong.code, wrong.exit_code) == (Code.STATEMENT_NOT_SIGNED, 8)


def test_an_untouched_token_is_told_as_such(key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untouched = SoftSigner(SshKeyType.SK_ED25519, flags=0)
    answer_with(untouched.sign(STATEMENT, namespace=SPACE), tmp_path, monkeypatch)
    wrong = failure(SshKeygenSigner(key_file))
    assert wrong.code is Code.STATEMENT_NOT_SIGNED
    assert "without being touched" in wrong.message


def test_an_answer_that_is_no_signature_is_refused(
    key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with("hello", tmp_path, monkeypatch)
    assert failure(SshKeygenSigner(key_file)).code is Code.SSHSIG_MALFORMED


def test_the_answer_is_handed_on_as_ssh_keygen_writes_it(
    key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = SoftSigner(SshKeyType.SK_ECDSA_P256).sign(STATEMENT, namespace=SPACE)
    answer_with(signed.replace("\n", "\r\n"), tmp_path, monkeypatch)
    assert SshKeygenSigner(key_file).sign(STATEMENT, namespace=SPACE) == signed


def test_reading_statements_and_keys_loads_no_cryptography() -> None:
    """It costs 30 ms: only a command that verifies a signature pays."""
    program = (
        "import sys, custody_cli.ssh_keygen\n"
        "from custody.documents.sshsig_keys import SshPublicKey\n"
        f"SshPublicKey.from_text({SoftSigner(SshKeyType.ECDSA_P256).public.to_text()!r})\n"
        "print('cryptography' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert shown.stdout == b"False\n"
