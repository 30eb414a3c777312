"""The multisig setup text that Coldcard began and many wallets write: `Name:`, `Policy:`, `Derivation:`, keys.

One grammar for all its dialects. `Derivation:` holds for the keys after it; BlueWallet's comment
`# derivation:` holds for the next key alone. Where readers in use would take one file for two
different wallets, it is refused: a path that no key follows, a key whose path readers disagree on.
A missing `Format:` means P2SH and a `Sorted: False` an unsorted script, neither of which is built.
Source: Coldcard/firmware, shared/multisig.py; BlueWallet, class/wallets/multisig-hd-wallet.ts;
Blockstream/Jade, main/multisig.c; nunchuk-io/libnunchuk, src/utils/multisigconfig.hpp.
"""

import re
from dataclasses import dataclass, field

from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, InvalidInput, SecretRefused
from custody.vault.formats.foreign_keys import (
    KeyStatement,
    WalletStatement,
    inconsistent,
    quoted_path,
    script_type_named,
    unsupported,
)
from custody.vault.formats.foreign_text import read_lines
from custody.vault.vault import Vault

_SHAPE = re.compile(rb"(?im)^[ \t]*(?:policy[ \t]*:|[0-9a-f]{8}[ \t]*:[ \t]*[a-z]pub)")
_POLICY = re.compile(r"(\d{1,3})\s*(?:of|/|,)\s*(\d{1,3})", re.ASCII | re.IGNORECASE)
_OWN_DERIVATION = re.compile(r"#\s*derivation\s*:\s*(.+)", re.IGNORECASE)
_FINGERPRINT = re.compile(r"[0-9a-f]{8}", re.ASCII)
_READS_COMMENTS = "BlueWallet"
"""In its files alone a comment overrides a `Derivation:` line."""
_ONCE = frozenset({"name", "policy", "format", "sorted"})


@dataclass(slots=True)
class _Reader:
    """What the lines so far have said."""

    said: dict[str, str] = field(default_factory=dict)
    keys: list[KeyStatement] = field(default_factory=list)
    path: str | None = None
    """Of the last `Derivation:` line."""
    is_path_used: bool = True
    own_path: str | None = None
    """Of a `# derivation:` comment, until the next key."""
    last_own_path: str | None = None
    writer: str | None = None
    """The first comment, which names the program."""

    def take(self, line: str) -> None:
        """Read one line."""
        if line.startswith("#") and self.writer is None:
            self.writer = line.lstrip("# ")
        own = _OWN_DERIVATION.fullmatch(line)
        if own is not None:
            if self.own_path is not None:
                raise inconsistent("two `# derivation:` comments stand before one key")
            self.own_path = own[1].strip()
        if not line or line.startswith("#"):
            return
        label, colon, value = (part.strip() for part in line.partition(":"))
        label = label.lower()
        if not colon:
            raise _malformed("a line of the multisig text is not `label: value`")
        if label == "derivation":
            self._take_path(value)
        elif label in _ONCE:
            if label in self.said:
                raise _malformed(f"the multisig text has `{label}` twice")
            self.said[label] = value
        elif _FINGERPRINT.fullmatch(label):
            self.keys.append(KeyStatement(label, self._path_of_next_key(), value))
        else:
            raise _other_line(label)

    def end(self) -> None:
        """Refuse what was left hanging."""
        if not self.is_path_used or self.own_path is not None:
            raise inconsistent("a derivation stands after the last key, or before no key")

    def _take_path(self, path: str) -> None:
        if not self.is_path_used and path != self.path:
            raise inconsistent("two derivations follow each other, and no key stands between them")
        self.path, self.is_path_used, self.last_own_path = path, False, None

    def _path_of_next_key(self) -> str | None:
        if self.own_path is not None:
            is_comment_to_others = not (self.writer or "").startswith(_READS_COMMENTS)
            if self.path not in (None, self.own_path) and is_comment_to_others:
                raise inconsistent("a `# derivation:` comment contradicts the `Derivation:` line: readers differ in it")
            path, self.own_path, self.last_own_path = self.own_path, None, self.own_path
            return path
        if self.last_own_path not in (None, self.path):
            raise inconsistent("after a key with its own `# derivation:` a key has none: readers differ in its path")
        self.is_path_used = True
        return self.path


def has_shape(data: bytes) -> bool:
    """Whether the content looks like a multisig setup text."""
    return _SHAPE.search(data) is not None


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the vault of a multisig setup text.

    Raises:
        SecretRefused: a `seed:` line.
        InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FIELD, IMPORT_INCONSISTENT, DESCRIPTOR_UNSUPPORTED,
            and what keys are refused for.
    """
    reader = _Reader()
    for line in read_lines(data, "the multisig text"):
        reader.take(line)
    reader.end()
    if reader.said.get("sorted", "true").lower() != "true":
        raise unsupported("a wallet with unsorted keys, multi(),")
    policy = _POLICY.fullmatch(reader.said.get("policy", ""))
    if policy is None:
        raise _malformed("the multisig text has no line `Policy: M of N`")
    script_type = script_type_named(reader.said.get("format", "P2SH"))
    return WalletStatement(script_type, int(policy[1]), int(policy[2]), reader.keys).to_descriptor(network)


def head(vault: Vault, *, comment: str, nested: str, name_length: int) -> list[str]:
    """Return the first lines: a comment, name, policy and format, `nested` being the name of sh(wsh())."""
    is_nested = vault.descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI
    return [
        *(f"# {line}" for line in comment.split("\n")),
        f"Name: {vault.name[:name_length]}",
        f"Policy: {vault.threshold} of {len(vault.cosigners)}",
        f"Format: {nested if is_nested else 'P2WSH'}",
    ]


def keys_grouped(vault: Vault, *, marker: str = "Derivation") -> list[str]:
    """Return the keys, with their path once where all share it, else before each key."""
    paths = {quoted_path(cosigner.key.origin.path) for cosigner in vault.cosigners}
    if len(paths) > 1:
        return keys_each_with_path(vault, marker=marker)
    return [f"Derivation: {paths.pop()}", "", *(_key_line(vault, number) for number in range(len(vault.cosigners)))]


def keys_each_with_path(vault: Vault, *, marker: str = "Derivation") -> list[str]:
    """Return each key after its own path."""
    lines: list[str] = []
    for number, cosigner in enumerate(vault.cosigners):
        lines += ["", f"{marker}: {quoted_path(cosigner.key.origin.path)}", _key_line(vault, number)]
    return lines


def _key_line(vault: Vault, number: int) -> str:
    cosigner = vault.cosigners[number]
    return f"{cosigner.fingerprint.hex().upper()}: {cosigner.key.key.to_base58(vault.network)}"


def _other_line(label: str) -> InvalidInput:
    if label == "seed":
        return SecretRefused(
            Code.SECRET_MATERIAL,
            "the multisig text holds a `seed` line",
            advice="Export the coordination setup, which holds public keys only; treat this file as a secret.",
        )
    if label == "blindingkey":
        return unsupported("a Liquid wallet")
    return InvalidInput(
        Code.UNKNOWN_FIELD,
        "the multisig text has a line of an unknown kind",
        advice="Export the wallet again; nothing unknown is ever guessed at.",
    )


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_DOCUMENT, message, advice="Export the wallet again from the program or device that made it."
    )
