"""Keys and signatures of officers for tests: the real ssh-keygen in a temporary folder, and a quick one in memory.

`SoftSigner` is a `custody.ports.StatementSigner` for every type of key, FIDO tokens included,
and makes wrong signatures on demand. It writes the wire format with code of its own, so that
a mistake of ours isn't made twice. Keys come from a seed where the algorithm allows it; none
is ever committed.
"""

import base64
import functools
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from custody.documents.sshsig_keys import SshKeyType, SshPublicKey

BEGIN = "-----BEGIN SSH SIGNATURE-----"
END = "-----END SSH SIGNATURE-----"

KEYGEN_TYPES = {
    SshKeyType.ED25519: ("-t", "ed25519"),
    SshKeyType.ECDSA_P256: ("-t", "ecdsa", "-b", "256"),
    SshKeyType.ECDSA_P384: ("-t", "ecdsa", "-b", "384"),
    SshKeyType.ECDSA_P521: ("-t", "ecdsa", "-b", "521"),
    SshKeyType.RSA: ("-t", "rsa", "-b", "3072"),
}
"""What ssh-keygen makes without a token."""

_CURVES: dict[SshKeyType, tuple[str, ec.EllipticCurve, HashAlgorithm]] = {
    SshKeyType.ECDSA_P256: ("nistp256", ec.SECP256R1(), SHA256()),
    SshKeyType.ECDSA_P384: ("nistp384", ec.SECP384R1(), SHA384()),
    SshKeyType.ECDSA_P521: ("nistp521", ec.SECP521R1(), SHA512()),
    SshKeyType.SK_ECDSA_P256: ("nistp256", ec.SECP256R1(), SHA256()),
}


def u32(number: int) -> bytes:
    """Return an SSH uint32."""
    return number.to_bytes(4, "big")


def ssh_string(content: bytes | str) -> bytes:
    """Return an SSH string."""
    raw = content.encode() if isinstance(content, str) else content
    return u32(len(raw)) + raw


def ssh_mpint(number: int) -> bytes:
    """Return an SSH mpint with its length, for a number that is not negative."""
    raw = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return ssh_string(raw if number else b"")


def armor(blob: bytes) -> str:
    """Return a blob in an SSHSIG's armor, as ssh-keygen writes it."""
    text = base64.b64encode(blob).decode()
    lines = [text[start : start + 70] for start in range(0, len(text), 70)]
    return "\n".join((BEGIN, *lines, END, ""))


def dearmor(armored: str) -> bytes:
    """Return the blob in an SSHSIG's armor."""
    return base64.b64decode("".join(armored.splitlines()[1:-1]))


def sshsig_blob(
    key: bytes, inner: bytes, namespace: str, *, hash_name: str = "sha512", version: int = 1, reserved: bytes = b""
) -> bytes:
    """Return the blob of an SSHSIG (PROTOCOL.sshsig, section 2), right or wrong."""
    parts = (key, namespace, reserved, hash_name, inner)
    return b"SSHSIG" + u32(version) + b"".join(ssh_string(part) for part in parts)


@dataclass(frozen=True, slots=True)
class SoftSigner:
    """A person's key in memory. The same type and seed are the same key, but for RSA only within a process."""

    key_type: SshKeyType = SshKeyType.ED25519
    seed: str = "officer"
    flags: int = 1
    """What a security key reports: bit 0 is a touch, bit 2 a PIN."""
    counter: int = 7
    application: str = "ssh:"

    @property
    def public(self) -> SshPublicKey:
        """The public key."""
        return SshPublicKey.from_blob(self.key_blob())

    def key_blob(self) -> bytes:
        """Return the public key on the wire, also one that custody refuses."""
        blob = ssh_string(self.key_type)
        if self.key_type is SshKeyType.RSA:
            numbers = _rsa_key(self.seed).public_key().public_numbers()
            return blob + ssh_mpint(numbers.e) + ssh_mpint(numbers.n)
        if self.key_type in _CURVES:
            point = _ec_key(self.key_type, self.seed).public_key()
            blob += ssh_string(_CURVES[self.key_type][0])
            blob += ssh_string(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
        else:
            blob += ssh_string(_ed25519_key(self.seed).public_key().public_bytes_raw())
        return blob + ssh_string(self.application) if self.is_security_key else blob

    @property
    def is_security_key(self) -> bool:
        """Whether it plays a FIDO token."""
        return self.key_type in (SshKeyType.SK_ED25519, SshKeyType.SK_ECDSA_P256)

    def sign(self, statement: bytes, *, namespace: str, hash_name: str = "sha512") -> str:
        """Return a right signature, but for `flags` and `application`, armored."""
        inner = self.inner(self.wrapped(statement, namespace, hash_name=hash_name))
        return armor(sshsig_blob(self.key_blob(), inner, namespace, hash_name=hash_name))

    def wrapped(self, statement: bytes, namespace: str, *, hash_name: str = "sha512") -> bytes:
        """Return what is signed (PROTOCOL.sshsig, section 3)."""
        digest = hashlib.new(hash_name, statement).digest()
        return b"SSHSIG" + b"".join(ssh_string(part) for part in (namespace, b"", hash_name, digest))

    def inner(self, wrapped: bytes, *, algorithm: str | None = None) -> bytes:
        """Return the signature over `wrapped`; `algorithm` renames it, and picks the hash of an RSA key."""
        signed, report = wrapped, b""
        if self.is_security_key:
            report = bytes((self.flags,)) + u32(self.counter)
            application = hashlib.sha256(self.application.encode()).digest()
            signed = application + report + hashlib.sha256(wrapped).digest()
        name: str = algorithm or ("rsa-sha2-512" if self.key_type is SshKeyType.RSA else self.key_type)
        return ssh_string(name) + ssh_string(self._value(signed, name)) + report

    def _value(self, signed: bytes, algorithm: str) -> bytes:
        if self.key_type is SshKeyType.RSA:
            hash_algorithm = SHA256() if algorithm == "rsa-sha2-256" else SHA512()
            return _rsa_key(self.seed).sign(signed, padding.PKCS1v15(), hash_algorithm)
        if self.key_type in _CURVES:
            how = ec.ECDSA(_CURVES[self.key_type][2], deterministic_signing=True)
            r, s = utils.decode_dss_signature(_ec_key(self.key_type, self.seed).sign(signed, how))
            return ssh_mpint(r) + ssh_mpint(s)
        return _ed25519_key(self.seed).sign(signed)


def _ed25519_key(seed: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"ssh {seed}".encode()).digest())


@functools.cache
def _ec_key(key_type: SshKeyType, seed: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(hashlib.sha256(f"{key_type} {seed}".encode()).digest()[1:], "big")
    return ec.derive_private_key(number, _CURVES[key_type][1])


@functools.cache
def _rsa_key(seed: str) -> rsa.RSAPrivateKey:
    del seed  # only tells keys apart: OpenSSL makes an RSA key from no seed
    return rsa.generate_private_key(65537, 3072)


@dataclass(frozen=True, slots=True)
class SshKeygen:
    """The real ssh-keygen, with a folder for its keys. Each key is made once and shared."""

    program: str
    folder: Path
    made: dict[str, Path] = field(default_factory=dict)

    def key(self, key_type: SshKeyType, name: str = "officer", *, passphrase: str = "") -> Path:
        """Return the path of a private key; its public half stands beside it with `.pub`."""
        label = f"{name}-{key_type}"
        if label not in self.made:
            path = self.folder / label
            command = [
                self.program,
                "-q",
                *KEYGEN_TYPES[key_type],
                "-N",
                passphrase,
                "-C",
                f"{name}@test",
                "-f",
                f"{path}",
            ]
            subprocess.run(command, check=True, capture_output=True)
            self.made[label] = path
        return self.made[label]

    def public(self, key_type: SshKeyType, name: str = "officer") -> str:
        """Return the public line of that key, as it stands in its file."""
        return self.key(key_type, name).with_name(f"{name}-{key_type}.pub").read_text()

    def fingerprint(self, public_line: str) -> str:
        """Return the fingerprint that `ssh-keygen -l` shows."""
        shown = subprocess.run([self.program, "-lf", "-"], input=public_line.encode(), check=True, capture_output=True)
        return shown.stdout.decode().split()[1]

    def sign(self, key: Path, statement: bytes, namespace: str, *options: str) -> str:
        """Return an armored signature over `statement`."""
        command = [self.program, "-Y", "sign", "-q", *options, "-n", namespace, "-f", f"{key}"]
        return subprocess.run(command, input=statement, check=True, capture_output=True).stdout.decode()

    def accepts(self, public_line: str, armored: str, statement: bytes, namespace: str) -> bool:
        """Return what `ssh-keygen -Y verify` says, with that key as the one allowed signer."""
        signers, signature = self.folder / "allowed_signers", self.folder / "statement.sig"
        signers.write_text(f"officer {public_line.strip()}\n")
        signature.write_text(armored)
        command = [self.program, "-Y", "verify", "-f", f"{signers}", "-I", "officer", "-n", namespace]
        command += ["-s", f"{signature}"]
        return subprocess.run(command, input=statement, check=False, capture_output=True).returncode == 0


@pytest.fixture(scope="session")
def ssh_keygen(tmp_path_factory: pytest.TempPathFactory) -> SshKeygen:
    """Give the real ssh-keygen, or skip (in CI: fail) where OpenSSH isn't installed."""
    program = shutil.which("ssh-keygen")
    if program is None:
        reason = "ssh-keygen is not installed (Debian: openssh-client)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return SshKeygen(program, tmp_path_factory.mktemp("ssh"))
