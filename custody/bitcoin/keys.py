"""Extended public keys, their paths and their origins.

Follows BIP 32 (public derivation only), BIP 380 (key expressions) and reads SLIP-132
prefixes where a wallet format uses them. A key without its origin is refused, and so is a
key whose own bytes contradict that origin: depth, last step, parent.

There is no private key here and no way to make one: text that holds one is refused before
anything else is said about it, and no message repeats it.
"""

import hmac
import re
from dataclasses import dataclass
from functools import lru_cache

from custody.bitcoin.curve import PublicKey
from custody.bitcoin.encoding import base58check_decode, base58check_encode
from custody.bitcoin.hashing import hash160
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import InvalidInput, SecretRefused

HARDENED = 0x80000000
"""Steps from here on need the private key; written with `h`."""
KeyPath = tuple[int, ...]
"""Steps of a derivation, hardened ones with `HARDENED` added."""
MAX_DEPTH = 255

_STEP = re.compile(r"(?P<number>0|[1-9][0-9]{0,18})(?P<marker>[h']?)", re.ASCII)
_ORIGIN = re.compile(r"\[(?P<origin>[^\[\]]*)\](?P<key>[^\[\]]*)", re.ASCII)
_FINGERPRINT = re.compile(r"[0-9a-fA-F]{8}", re.ASCII)
_EXTENDED_PRIVATE_WORD = re.compile(r"(?<![0-9A-Za-z])[xtyzuvYZUV]prv[1-9A-HJ-NP-Za-km-z]{20,}", re.ASCII)
_BASE58_WORD = re.compile(r"(?<![0-9A-Za-z])[1-9A-HJ-NP-Za-km-z]{51,112}(?![0-9A-Za-z])", re.ASCII)

_PRIVATE_VERSIONS = tuple(
    bytes.fromhex(version)
    for version in (
        *("0488ade4", "04358394", "049d7878", "04b2430c", "0295b005"),
        *("02aa7a99", "044a4e28", "045f18bc", "024285b5", "02575048"),
    )
)
"""xprv, tprv, and SLIP-132's yprv zprv Yprv Zprv uprv vprv Uprv Vprv."""
_WIF_VERSIONS = (0x80, 0xEF)
_XPUB, _TPUB = Network.MAIN.xpub_version, Network.REGTEST.xpub_version
_SLIP132_VERSIONS = {
    **{bytes.fromhex(version): _XPUB for version in ("049d7cb2", "04b24746", "0295b43f", "02aa7ed3")},
    **{bytes.fromhex(version): _TPUB for version in ("044a5262", "045f1cf6", "024289ef", "02575483")},
}
"""ypub zpub Ypub Zpub, upub vpub Upub Vpub. Source: SLIP-132."""


@dataclass(frozen=True, slots=True)
class KeyOrigin:
    """Where a key comes from: the master key's fingerprint and the path from it."""

    fingerprint: bytes
    """First four bytes of hash160 of the master public key."""
    path: KeyPath

    def __post_init__(self) -> None:
        if len(self.fingerprint) != 4:
            raise _origin_refused(f"a fingerprint has {len(self.fingerprint)} bytes, expected 4")
        if len(self.path) > MAX_DEPTH or any(not 0 <= step < 2 * HARDENED for step in self.path):
            raise _origin_refused("a path has more than 255 steps or a step outside 32 bits")

    @classmethod
    def from_text(cls, text: str) -> "KeyOrigin":
        """Read `fingerprint/path`, without brackets: `d34db33f/48h/0h/0h/2h`."""
        fingerprint, separator, path = text.partition("/")
        if _FINGERPRINT.fullmatch(fingerprint) is None or (separator and not path):
            raise _origin_refused("a key origin is not eight hexadecimal digits and a path")
        return cls(bytes.fromhex(fingerprint), parse_path(path))

    def to_text(self) -> str:
        """Return `fingerprint/path`, without brackets, with `h` markers."""
        return "/".join((self.fingerprint.hex(), format_path(self.path))) if self.path else self.fingerprint.hex()


@dataclass(frozen=True, slots=True)
class ExtendedKey:
    """An extended public key of BIP 32. Its point is on the curve, its metadata possible."""

    depth: int
    parent_fingerprint: bytes
    child_number: int
    chain_code: bytes
    public_key: bytes
    """33 bytes, compressed."""

    def __post_init__(self) -> None:
        sizes = (len(self.parent_fingerprint), len(self.chain_code))
        if sizes != (4, 32) or not 0 <= self.depth <= MAX_DEPTH or not 0 <= self.child_number < 2 * HARDENED:
            raise _key_refused("an extended key has a field of the wrong size")
        if self.depth == 0 and (any(self.parent_fingerprint) or self.child_number):
            raise _key_refused("an extended key of depth 0 names a parent or a child number")
        PublicKey(self.public_key)

    @classmethod
    def from_base58(cls, text: str, network: Network) -> "ExtendedKey":
        """Read an xpub or tpub with the version bytes of `network`.

        Raises:
            SecretRefused: an extended private key, of any prefix.
            InvalidInput: SLIP132_NOT_ALLOWED, NETWORK_MISMATCH, INVALID_XPUB, INVALID_PUBLIC_KEY.
        """
        payload = _extended_payload(text)
        if payload[:4] in _SLIP132_VERSIONS:
            raise InvalidInput(
                Code.SLIP132_NOT_ALLOWED,
                f"a key begins with `{text[:4]}`, expected {_prefix_name(network)}",
                advice=f"Write the same key as {_prefix_name(network)}; the script stands in the descriptor.",
            )
        return cls._from_payload(payload, network)

    @classmethod
    def from_base58_converting(cls, text: str, network: Network) -> "tuple[ExtendedKey, bool]":
        """Read as `from_base58`, and SLIP-132 prefixes too; say whether one was converted."""
        payload = _extended_payload(text)
        version = _SLIP132_VERSIONS.get(payload[:4])
        if version is None:
            return cls._from_payload(payload, network), False
        return cls._from_payload(version + payload[4:], network), True

    @classmethod
    def _from_payload(cls, payload: bytes, network: Network) -> "ExtendedKey":
        version = payload[:4]
        if version not in (_XPUB, _TPUB):
            raise _key_refused(f"an extended key has the unknown version bytes `{version.hex()}`")
        if version != network.xpub_version:
            raise InvalidInput(
                Code.NETWORK_MISMATCH,
                f"a key is of the kind {'xpub' if version == _XPUB else 'tpub'}, "
                f"network `{network}` uses {_prefix_name(network)}",
                advice="Check which network the key was exported for.",
            )
        return cls(payload[4], payload[5:9], int.from_bytes(payload[9:13], "big"), payload[13:45], payload[45:])

    @property
    def fingerprint(self) -> bytes:
        """First four bytes of hash160 of the public key."""
        return hash160(self.public_key)[:4]

    def to_bytes78(self, network: Network) -> bytes:
        """Return the 78 bytes that base58check encodes (and a PSBT holds)."""
        head = network.xpub_version + bytes([self.depth]) + self.parent_fingerprint
        return head + self.child_number.to_bytes(4, "big") + self.chain_code + self.public_key

    def to_base58(self, network: Network) -> str:
        """Return the xpub or tpub text."""
        return _base58_of(self, network)

    def child(self, index: int) -> "ExtendedKey":
        """Derive the unhardened child at `index`.

        Raises:
            InvalidInput: HARDENED_PUBLIC_DERIVATION, INDEX_OUT_OF_RANGE, or depth 255 reached.
        Source: BIP 32, public parent key to public child key.
        """
        check_unhardened(index)
        if self.depth == MAX_DEPTH:
            raise _key_refused("an extended key of depth 255 has no children")
        tweak, chain_code = child_tweak(self.chain_code, self.public_key, index)
        child = PublicKey(self.public_key).tweak_add(tweak)
        return ExtendedKey(self.depth + 1, self.fingerprint, index, chain_code, child)


@dataclass(frozen=True, slots=True)
class KeyExpression:
    """An extended public key with the origin that its own bytes don't contradict."""

    origin: KeyOrigin
    key: ExtendedKey

    def __post_init__(self) -> None:
        fingerprint, path, key = self.origin.fingerprint, self.origin.path, self.key
        if not any(fingerprint):
            raise InvalidInput(
                Code.FINGERPRINT_ZERO,
                "a key origin has the fingerprint `00000000`",
                advice="Export the key again together with its master fingerprint.",
            )
        if key.depth != len(path):
            raise _contradiction(
                Code.XPUB_DEPTH_MISMATCH,
                f"the extended key has depth {key.depth}, its origin path has {len(path)} steps",
            )
        if path and key.child_number != path[-1]:
            raise _contradiction(
                Code.XPUB_CHILDNUM_MISMATCH,
                f"the extended key is child {format_path((key.child_number,))}, "
                f"its origin path ends in {format_path(path[-1:])}",
            )
        parent = {0: key.fingerprint, 1: key.parent_fingerprint}.get(key.depth, fingerprint)
        if parent != fingerprint:
            raise _contradiction(
                Code.XPUB_PARENT_MISMATCH,
                f"the extended key's master has fingerprint `{parent.hex()}`, its origin says `{fingerprint.hex()}`",
            )

    @classmethod
    def parse(cls, text: str, network: Network) -> "KeyExpression":
        """Read `[fingerprint/path]xpub`, with the version bytes of `network` and nothing after the key.

        Raises:
            SecretRefused: the text holds a private key.
            InvalidInput: ORIGIN_MISSING, ORIGIN_INVALID, and all that `ExtendedKey` refuses.
        Source: BIP 380.
        """
        return _parsed(text, network)

    @classmethod
    def parse_converting_slip132(cls, text: str, network: Network) -> "tuple[KeyExpression, bool]":
        """Read as `parse`, and SLIP-132 prefixes too; say whether one was converted."""
        origin, key = _split_key_expression(text)
        extended, converted = ExtendedKey.from_base58_converting(key, network)
        return cls(origin, extended), converted

    def to_text(self, network: Network) -> str:
        """Return `[fingerprint/path]xpub` with `h` markers."""
        return f"[{self.origin.to_text()}]{self.key.to_base58(network)}"


@lru_cache(maxsize=256)
def _parsed(text: str, network: Network) -> KeyExpression:
    """Read a key expression, once for the same text: a vault's documents say each key twice."""
    origin, key = _split_key_expression(text)
    return KeyExpression(origin, ExtendedKey.from_base58(key, network))


@lru_cache(maxsize=256)
def _base58_of(key: ExtendedKey, network: Network) -> str:
    return base58check_encode(key.to_bytes78(network))


def parse_path(text: str) -> KeyPath:
    """Read `48h/1h/0h/2h` (or with `'`); empty text is the empty path. No `m/` in front.

    Raises:
        InvalidInput: BAD_HARDENED_MARKER for `H`, INDEX_OUT_OF_RANGE from 2**31 on, else ORIGIN_INVALID.
    """
    return tuple(parse_step(step) for step in text.split("/")) if text else ()


def parse_step(text: str) -> int:
    """Read one step of a path, such as `48h`; as `parse_path`."""
    match = _STEP.fullmatch(text)
    if match is None:
        if re.fullmatch(r"[0-9]+H", text, re.ASCII):
            raise InvalidInput(
                Code.BAD_HARDENED_MARKER,
                "a path step carries the marker `H`, expected `h` or `'`",
                advice="Write hardened steps with a small h.",
            )
        raise _origin_refused("a path step is not a plain number with an optional `h`")
    number = int(match["number"])
    if number >= HARDENED:
        raise _index_refused(number)
    return number + HARDENED if match["marker"] else number


def format_path(path: KeyPath) -> str:
    """Return `path` as `48h/1h/0h/2h`, without `m/`."""
    return "/".join(f"{step - HARDENED}h" if step >= HARDENED else str(step) for step in path)


def check_unhardened(index: int) -> None:
    """Demand that a public key can derive the child at `index`: 0 <= index < 2**31."""
    if HARDENED <= index < 2 * HARDENED:
        raise InvalidInput(
            Code.HARDENED_PUBLIC_DERIVATION,
            f"step {format_path((index,))} is hardened, which a public key can not derive",
            advice="Use unhardened steps after an extended public key.",
        )
    if not 0 <= index < HARDENED:
        raise _index_refused(index)


def child_tweak(chain_code: bytes, public_key: bytes, index: int) -> tuple[bytes, bytes]:
    """Return tweak and chain code (32 bytes each) of the unhardened child at `index`.

    The caller has checked `index`. Source: BIP 32, CKDpub.
    """
    digest = hmac.digest(chain_code, public_key + index.to_bytes(4, "big"), "sha512")
    return digest[:32], digest[32:]


def refuse_private_keys(text: str, *, place: str) -> None:
    """Refuse text in which an extended private key or a WIF key stands, naming `place` only.

    Raises:
        SecretRefused: one was found; its characters are not repeated.
    """
    if _EXTENDED_PRIVATE_WORD.search(text):
        raise _secret("an extended private key", place)
    for match in _BASE58_WORD.finditer(text):
        kind = private_key_kind(match[0])
        if kind is not None:
            raise _secret(kind, place)


def private_key_kind(word: str) -> str | None:
    """Name the kind of private key that the base58check `word` is, or None if it is none."""
    try:
        payload = base58check_decode(word)
    except InvalidInput:
        return None
    if len(payload) == 78 and (payload[:4] in _PRIVATE_VERSIONS or payload[45] == 0):
        return "an extended private key"
    if len(payload) in (33, 34) and payload[0] in _WIF_VERSIONS:
        return "a private key in wallet import format"
    return None


def _split_key_expression(text: str) -> tuple[KeyOrigin, str]:
    refuse_private_keys(text, place="a key expression")
    match = _ORIGIN.fullmatch(text)
    if match is None:
        if "[" in text or "]" in text:
            raise _origin_refused("a key expression's brackets don't enclose one origin in front of the key")
        _extended_payload(text)
        raise InvalidInput(
            Code.ORIGIN_MISSING,
            f"key `{text[:12]}…` has no origin",
            advice="Write the key as `[fingerprint/path]xpub…`, as its device exports it.",
        )
    return KeyOrigin.from_text(match["origin"]), match["key"]


def _extended_payload(text: str) -> bytes:
    refuse_private_keys(text, place="an extended key")
    try:
        payload = base58check_decode(text)
    except InvalidInput as cause:
        raise _key_refused(f"a key is not an extended public key: {cause.message}") from cause
    if len(payload) != 78:
        raise _key_refused(f"an extended key has {len(payload)} bytes, expected 78")
    return payload


def _prefix_name(network: Network) -> str:
    return "xpub" if network.is_main else "tpub"


def _secret(kind: str, place: str) -> SecretRefused:
    return SecretRefused(
        Code.SECRET_MATERIAL,
        f"{kind} stands in {place}",
        advice="Never give private keys to this program; treat this one as exposed and move its coins.",
    )


def _key_refused(message: str) -> InvalidInput:
    return InvalidInput(Code.INVALID_XPUB, message, advice="Export the key again from its device.")


def _origin_refused(message: str) -> InvalidInput:
    return InvalidInput(
        Code.ORIGIN_INVALID,
        message,
        advice="Write the key as `[fingerprint/path]xpub…`, for example `[d34db33f/48h/0h/0h/2h]xpub…`.",
    )


def _index_refused(number: int) -> InvalidInput:
    return InvalidInput(
        Code.INDEX_OUT_OF_RANGE,
        f"index {number} lies outside 0 to {HARDENED - 1}",
        advice="Use an index below 2147483648.",
    )


def _contradiction(code: Code, message: str) -> InvalidInput:
    return InvalidInput(code, message, advice="Export key and origin together again; one of the two was altered.")
