"""The descriptor of a vault: m of n extended keys, sorted per address, in a segwit v0 script.

Two kinds are built: `wsh(sortedmulti(…))` and `sh(wsh(sortedmulti(…)))`, over keys that all
end in `/<0;1>/*` (both branches) or in `/0/*` or `/1/*` (one branch). The text form is
canonical: `h` markers, multipath, checksum. Whether the keys are good company for each
other (repeated, related) is the vault's question, not the descriptor's.
Source: BIP 380 to 383, BIP 389.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache

from custody.bitcoin.descriptor_checksum import add_checksum as add_checksum
from custody.bitcoin.descriptor_checksum import descriptor_checksum as descriptor_checksum
from custody.bitcoin.descriptor_checksum import require_checksum
from custody.bitcoin.descriptor_text import MAX_KEYS, invalid, read_descriptor, unsupported
from custody.bitcoin.keys import KeyExpression, refuse_private_keys
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import InvalidInput


class ScriptType(StrEnum):
    """How the multisig script is wrapped, by the name that commands and documents use."""

    WSH_SORTEDMULTI = "wsh-sortedmulti"
    SH_WSH_SORTEDMULTI = "sh-wsh-sortedmulti"

    @property
    def bip48_step(self) -> int:
        """The last step of a BIP 48 path, which is hardened, for keys of this script."""
        return 2 if self is ScriptType.WSH_SORTEDMULTI else 1


class Branch(IntEnum):
    """The step after a cosigner's extended key."""

    RECEIVE = 0
    CHANGE = 1

    @property
    def label(self) -> str:
        """`receive` or `change`, as commands and documents say it."""
        return self.name.lower()

    @classmethod
    def from_label(cls, label: str) -> "Branch":
        """Return the branch called `label`.

        Raises:
            InvalidInput: neither `receive` nor `change`.
        """
        for branch in cls:
            if branch.label == label:
                return branch
        raise InvalidInput(
            Code.MALFORMED_DOCUMENT,
            "a branch is called neither `receive` nor `change`",
            advice="Write `receive` or `change`.",
        )


_BOTH = (Branch.RECEIVE, Branch.CHANGE)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A vault's script template and keys. An instance has a possible threshold and branches."""

    script_type: ScriptType
    threshold: int
    keys: tuple[KeyExpression, ...]
    branches: tuple[int, ...]
    """(0, 1), or (0,) or (1,) where the text covers one branch only."""

    def __post_init__(self) -> None:
        if len(self.keys) > MAX_KEYS:
            raise InvalidInput(
                Code.TOO_MANY_KEYS,
                f"a descriptor has {len(self.keys)} keys, at most {MAX_KEYS} are supported",
                advice="Use a vault of fewer keys.",
            )
        if not 1 <= self.threshold <= len(self.keys):
            raise InvalidInput(
                Code.THRESHOLD_INVALID,
                f"the threshold is {self.threshold}, expected 1 to {len(self.keys)}",
                advice="Give a threshold from 1 to the number of keys.",
            )
        if self.branches == (Branch.CHANGE, Branch.RECEIVE):
            raise _swapped("the multipath step is `<1;0>`, which makes the change branch the receiving one")
        if self.branches not in (_BOTH, (Branch.RECEIVE,), (Branch.CHANGE,)):
            raise unsupported("the branches are not 0 and 1")

    @classmethod
    def parse(cls, text: str, network: Network) -> "Descriptor":
        """Read a descriptor with its checksum and with the key versions of `network`.

        Raises:
            SecretRefused: a private key stands in it.
            InvalidInput: CHECKSUM_MISSING, CHECKSUM_MISMATCH, DESCRIPTOR_INVALID,
                DESCRIPTOR_UNSUPPORTED, THRESHOLD_INVALID, TOO_MANY_KEYS, MIXED_MULTIPATH,
                CHAINS_SWAPPED, NOT_RANGED, HARDENED_PUBLIC_DERIVATION, ANNOTATION_PRESENT,
                and all that a key expression can be refused for.
        """
        return _parsed(text, network)

    def to_text(self, network: Network) -> str:
        """Return the canonical text, `<0;1>` where both branches are covered, with checksum."""
        return _text_of(self, network)

    def single_branch_text(self, branch: int, network: Network) -> str:
        """Return the text that covers `branch` alone (`/0/*` or `/1/*`), with checksum.

        Raises:
            InvalidInput: the descriptor does not cover `branch`.
        """
        if branch not in self.branches:
            raise invalid(f"the descriptor does not cover branch {int(branch)}")
        return add_checksum(self.body(str(int(branch)), network))

    def body(self, step: str, network: Network) -> str:
        """Return the text whose keys end in `/step/*`, without checksum."""
        keys = ",".join(f"{key.to_text(network)}/{step}/*" for key in self.keys)
        body = f"wsh(sortedmulti({self.threshold},{keys}))"
        return f"sh({body})" if self.script_type is ScriptType.SH_WSH_SORTEDMULTI else body


@lru_cache(maxsize=32)
def _parsed(text: str, network: Network) -> Descriptor:
    """Read a descriptor, once for the same text: the vault file and the journal say the same one."""
    refuse_private_keys(text, place="a descriptor")
    parts = read_descriptor(require_checksum(text), network)
    script_type = ScriptType.SH_WSH_SORTEDMULTI if parts.wrapped else ScriptType.WSH_SORTEDMULTI
    return Descriptor(script_type, parts.threshold, parts.keys, parts.branches)


@lru_cache(maxsize=32)
def _text_of(descriptor: Descriptor, network: Network) -> str:
    step = "<0;1>" if len(descriptor.branches) > 1 else str(int(descriptor.branches[0]))
    return add_checksum(descriptor.body(step, network))


def join_branches(receive: Descriptor, change: Descriptor) -> Descriptor:
    """Return the descriptor of both branches from two that cover one each, as Bitcoin Core lists them.

    The keys keep the order they have in `receive`.

    Raises:
        InvalidInput: CHAINS_SWAPPED, or VAULT_MISMATCH if the two are not of one vault.
    """
    if receive.branches == (Branch.CHANGE,) and change.branches == (Branch.RECEIVE,):
        raise _swapped("the descriptor for change ends in `/0/*` and the one for receiving in `/1/*`")
    if receive.branches != (Branch.RECEIVE,) or change.branches != (Branch.CHANGE,):
        raise invalid("two descriptors don't end in `/0/*` and `/1/*`, so they can't be joined")
    same_template = (receive.script_type, receive.threshold) == (change.script_type, change.threshold)
    if not same_template or sorted(map(_sort_key, receive.keys)) != sorted(map(_sort_key, change.keys)):
        raise InvalidInput(
            Code.VAULT_MISMATCH,
            "the descriptors for receiving and for change belong to different vaults",
            advice="Export the wallet again; don't pay to either until the cause is known.",
        )
    return Descriptor(receive.script_type, receive.threshold, receive.keys, _BOTH)


def _sort_key(expression: KeyExpression) -> tuple[bytes, bytes, bytes, tuple[int, ...]]:
    key, origin = expression.key, expression.origin
    return key.public_key, key.chain_code, origin.fingerprint, origin.path


def _swapped(message: str) -> InvalidInput:
    return InvalidInput(
        Code.CHAINS_SWAPPED, message, advice="Branch 0 receives and branch 1 takes change; export the wallet again."
    )
