"""Officers' public keys as an outsider holds them: from OpenSSH's `allowed_signers`, or by fingerprint.

They come by another way than what they check: printed in a contract, at a meeting. Nothing here fetches them.
Read more strictly than ssh-keygen does: a clock, a certificate, a pattern of names or an exclusion
is refused, so that a key never counts by accident.
Source: ssh-keygen(1), ALLOWED SIGNERS.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from custody.codes import Code
from custody.documents.sshsig_keys import SshKeyType, SshPublicKey
from custody.errors import CheckFailed, InvalidInput

MAX_LINES = 1_000

_PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}", re.ASCII)
_NAMESPACES = re.compile(r'namespaces="([^"]*)"', re.IGNORECASE)
_FINGERPRINT = re.compile(r"SHA256:([A-Za-z0-9+/]{43})", re.ASCII)
_ADVICE = "Write one line for each officer: `NAME TYPE BASE64`, with no option but namespaces."


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that somebody trusts."""

    fingerprint: str
    """`SHA256:…`"""
    person: str | None
    """Whose it is, as the list says; None where only the key is known."""


@dataclass(frozen=True, slots=True)
class KnownOfficers:
    """Whose signatures count for whoever holds this; each key belongs to one person."""

    keys: tuple[KnownKey, ...] = ()

    def __post_init__(self) -> None:
        owners: dict[str, str | None] = {}
        for one in self.keys:
            if owners.setdefault(one.fingerprint, one.person) != one.person:
                raise CheckFailed(
                    Code.APPROVER_DUPLICATE,
                    f"key {one.fingerprint} stands under two names, `{owners[one.fingerprint]}` and `{one.person}`",
                    advice="One key is one person: ask the vault's officers whose it is.",
                )

    @property
    def people(self) -> int:
        """How many different people there are; a key without a name counts as one."""
        return len({one.person or one.fingerprint for one in self.keys})

    def find(self, key: SshPublicKey) -> KnownKey | None:
        """Return the entry of a key, None where it is not known."""
        return next((one for one in self.keys if one.fingerprint == key.fingerprint), None)

    def knows_person(self, name: str) -> bool:
        """Tell whether a person of that name is listed."""
        return any(one.person == name for one in self.keys)


def known_officers(signer_files: Sequence[str], keys: Sequence[str], *, namespace: str) -> KnownOfficers:
    """Return everybody from `allowed_signers` texts, and from single keys: a `.pub` line or a fingerprint each.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT with the line, SSH_KEY_*. CheckFailed: APPROVER_DUPLICATE.
        SecretRefused: a private key.
    """
    found = [known for text in signer_files for known in _of_list(text, namespace)]
    listed = {one.fingerprint: one for one in found}
    single = [_fingerprint_of(text) for text in keys]
    found += [KnownKey(fingerprint, None) for fingerprint in single if fingerprint not in listed]
    return KnownOfficers(tuple(dict.fromkeys(found)))


def is_fingerprint(text: str) -> bool:
    """Tell whether `text` is written as a key's fingerprint is."""
    return text.startswith("SHA256:")


def _of_list(text: str, namespace: str) -> list[KnownKey]:
    lines = text.split("\n")  # as ssh-keygen does: nothing else ends a comment
    if len(lines) > MAX_LINES:
        raise _malformed(f"it has more than {MAX_LINES} lines")
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            found += _of_line(line.strip(), number, namespace)
    return found


def _of_line(line: str, number: int, namespace: str) -> list[KnownKey]:
    name, rest = [*line.split(maxsplit=1), ""][:2]
    if _PRINCIPAL.fullmatch(name) is None:
        raise _malformed(f"line {number} doesn't begin with one name of letters, digits and `._@+-`")
    if rest.split(maxsplit=1)[:1] in [[one] for one in SshKeyType]:
        return [KnownKey(SshPublicKey.from_text(rest).fingerprint, name)]
    option = _NAMESPACES.match(rest)
    if option is None or not rest[option.end() :].startswith((" ", "\t")):
        # Certificates and times would each widen or narrow trust in a way that isn't judged here.
        raise _malformed(f"line {number} has an option other than namespaces, or no key that is accepted")
    key = SshPublicKey.from_text(rest[option.end() :].lstrip())
    allowed = option[1].split(",")
    if any(set(one.removesuffix("*")) & set("!*?") for one in allowed):
        raise _malformed(f"line {number} has a pattern of namespaces that doesn't just end with `*`")
    return [KnownKey(key.fingerprint, name)] if any(_fits(namespace, one) for one in allowed) else []


def _fits(namespace: str, pattern: str) -> bool:
    return namespace.startswith(pattern[:-1]) if pattern.endswith("*") else namespace == pattern


def _fingerprint_of(text: str) -> str:
    if not is_fingerprint(text):
        return SshPublicKey.from_text(text).fingerprint
    match = _FINGERPRINT.fullmatch(text)
    try:
        whole = match is not None and len(base64.b64decode(match[1] + "=", validate=True)) == 32
    except binascii.Error:
        whole = False
    if not whole:
        raise InvalidInput(
            Code.SSH_KEY_MALFORMED,
            "a fingerprint is not SHA256: and 43 characters",
            advice="Give the whole fingerprint, as `ssh-keygen -l -f KEY.pub` shows it.",
        )
    return text


def _malformed(problem: str) -> InvalidInput:
    return InvalidInput(Code.MALFORMED_DOCUMENT, f"the list of allowed signers: {problem}", advice=_ADVICE)
