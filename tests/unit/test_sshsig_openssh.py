"""Both ways against OpenSSH: its published figures, what its ssh-keygen makes, and what it says of ours."""

import subprocess
from pathlib import Path

import pytest

from custody.codes import Code
from custody.documents.sshsig import SshSignature, verify_sshsig
from custody.documents.sshsig_inner import TokenReport
from custody.documents.sshsig_keys import SshKeyType, SshPublicKey
from custody.errors import CheckFailed, InvalidInput
from support.openssh_figures import FINGERPRINTS, NAMESPACE, PUBLIC_KEYS, SIGNATURES, STATEMENT
from support.source_tree import ROOT
from support.ssh import KEYGEN_TYPES, SoftSigner, SshKeygen

ACCEPTED = [name for name in PUBLIC_KEYS if name != "ecdsa_sk_webauthn"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_published_signatures_hold(name: str) -> None:
    key = SshPublicKey.from_text(PUBLIC_KEYS[name])
    signature = SshSignature.from_armored(SIGNATURES[name])
    assert verify_sshsig(signature, STATEMENT, namespace=NAMESPACE) == key
    assert signature.to_armored() == SIGNATURES[name]
    assert PUBLIC_KEYS[name].startswith(f"{key.to_text()} ")
    assert key.fingerprint == FINGERPRINTS[name]


@pytest.mark.parametrize("name", ACCEPTED)
def test_published_signatures_hold_for_nothing_else(name: str) -> None:
    signature = SshSignature.from_armored(SIGNATURES[name])
    with pytest.raises(CheckFailed) as failed:
        verify_sshsig(signature, STATEMENT + b".", namespace=NAMESPACE)
    assert failed.value.code is Code.SSHSIG_INVALID
    with pytest.raises(CheckFailed) as failed:
        verify_sshsig(signature, STATEMENT, namespace="file")
    assert failed.value.code is Code.SSHSIG_NAMESPACE


@pytest.mark.parametrize("name", ["ed25519_sk", "ecdsa_sk"])
def test_published_tokens_report_a_touch(name: str) -> None:
    signature = SshSignature.from_armored(SIGNATURES[name])
    assert signature.key.application == "ssh:"
    assert signature.inner.report == TokenReport(flags=1, counter=0x12345678)


def test_the_published_signature_of_a_browser_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        SshPublicKey.from_text(PUBLIC_KEYS["ecdsa_sk_webauthn"])
    assert refused.value.code is Code.SSH_KEY_UNSUPPORTED
    with pytest.raises(InvalidInput) as refused:
        SshSignature.from_armored(SIGNATURES["ecdsa_sk_webauthn"])
    assert refused.value.code is Code.SSH_KEY_UNSUPPORTED


SPACE = "custody-approve/1"
LINES = b"custody-approve/1\namount 150000000 sat\n"


@pytest.mark.parametrize("key_type", KEYGEN_TYPES)
def test_we_accept_what_ssh_keygen_makes(key_type: SshKeyType, ssh_keygen: SshKeygen) -> None:
    public_line = ssh_keygen.public(key_type)
    key = SshPublicKey.from_text(public_line)
    assert key.key_type is key_type
    assert key.fingerprint == ssh_keygen.fingerprint(public_line)
    for options in ((), ("-O", "hashalg=sha256"), ("-O", "hashalg=sha512")):
        armored = ssh_keygen.sign(ssh_keygen.key(key_type), LINES, SPACE, *options)
        signature = SshSignature.from_armored(armored)
        assert verify_sshsig(signature, LINES, namespace=SPACE) == key
        assert signature.to_armored() == armored
        with pytest.raises(CheckFailed):
            verify_sshsig(signature, LINES[:-1], namespace=SPACE)


@pytest.mark.parametrize("key_type", SshKeyType)
def test_ssh_keygen_accepts_what_we_write(key_type: SshKeyType, ssh_keygen: SshKeygen) -> None:
    signer = SoftSigner(key_type)
    armored = SshSignature.from_armored(signer.sign(LINES, namespace=SPACE)).to_armored()
    public_line = signer.public.to_text()
    assert ssh_keygen.fingerprint(public_line) == signer.public.fingerprint
    assert ssh_keygen.accepts(public_line, armored, LINES, SPACE)
    assert not ssh_keygen.accepts(public_line, armored, LINES + b"x", SPACE)
    assert not ssh_keygen.accepts(public_line, armored, LINES, "file")
    assert not ssh_keygen.accepts(SoftSigner(key_type, "other").public.to_text(), armored, LINES, SPACE)


def test_we_are_stricter_than_ssh_keygen_about_a_touch(ssh_keygen: SshKeygen) -> None:
    """`ssh-keygen -Y verify` doesn't look at a token's flags, so its yes is not enough for an approval."""
    untouched = SoftSigner(SshKeyType.SK_ED25519, flags=0)
    armored = untouched.sign(LINES, namespace=SPACE)
    assert ssh_keygen.accepts(untouched.public.to_text(), armored, LINES, SPACE)
    with pytest.raises(CheckFailed) as failed:
        verify_sshsig(SshSignature.from_armored(armored), LINES, namespace=SPACE)
    assert failed.value.code is Code.SSHSIG_NO_PRESENCE


def test_the_commands_on_the_page_do_what_it_says(ssh_keygen: SshKeygen, tmp_path: Path) -> None:
    page = (ROOT / "docs/formats/statement-signatures.md").read_text()
    sign, verify = [line for line in page.splitlines() if line.startswith("ssh-keygen -Y")]
    key = ssh_keygen.key(SshKeyType.ED25519)
    published = PUBLIC_KEYS["ed25519"].rsplit(" ", 3)[0]
    (signers,) = [line for line in page.splitlines() if line.startswith("ann namespaces=")]
    assert published in signers
    (tmp_path / "statement.txt").write_bytes(LINES)
    (tmp_path / "allowed_signers").write_text(
        signers.replace(published, ssh_keygen.public(SshKeyType.ED25519).strip()) + "\n"
    )
    _shell(sign.replace("~/.ssh/id_ed25519", f"'{key}'"), tmp_path)
    assert _shell(verify, tmp_path).startswith(b'Good "custody-approve/1" signature for ann with ED25519 key SHA256:')
    signature = SshSignature.from_armored((tmp_path / "statement.txt.sig").read_bytes())
    assert verify_sshsig(signature, LINES, namespace=SPACE).to_text() in ssh_keygen.public(SshKeyType.ED25519)


def _shell(line: str, folder: Path) -> bytes:
    return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, check=True).stdout
