"""Recognises secrets by what stands beside them: hex called a seed, fields of wallet files.

Bare hex is almost always a hash, a txid or a PSBT, so hex alone passes. What decides is the
nearest word: `private key: …` is refused, `seed hash: …` and `public key: …` pass.
"""

import re

from custody.documents.secret_kinds import SecretKind

_SECRET_WORDS = frozenset(
    re.split(
        " ",
        "seed seeds secret secrets private priv privkey privatekey privatekeys prvkey prv secretkey secexp seedhex "
        "hexseed entropy mnemonic masterseed masterkey rootkey rootseed xprv tprv wif hdseed",
    )
)
_KEY_WORDS = frozenset(("key", "keys", "master"))
"""Weak: only with exactly 32 bytes right behind them."""
_PUBLIC_WORDS = frozenset(
    re.split(
        " ",
        "txid txids tx txn transaction wtxid outpoint hash hashes hashed sha sha256 sha256d digest checksum block "
        "blockhash vault id ids psbt public pub pubkey pubkeys publickey xpub tpub chaincode chain fingerprint sig "
        "signature script scriptpubkey address descriptor merkle commit revision head prev ref proposal journal "
        "request witness preimage signer nonce expect",
    )
)

_MAX_HEX = 130
_CONTEXT = 60
_HEX = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{31,}")
_HEX_GROUPS = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{2,8}[ :-]){4,}[0-9A-Fa-f]{2,8}(?![0-9A-Za-z])")
_ANY_MARK = ("seed", "secret", "priv", "prv", "secexp", "entropy", "mnemonic", "master", "key", "root", "wif", "phrase")
"""One of these stands in every text that the patterns below could match."""
_ANY_SIGNAL = re.compile(r"(?i:seed|secret|pr[iv]|entropy|mnemonic|master|key|root|wif|xp)")
_LABEL_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_END_OF_REMARK = re.compile(r"[\n,;.}\"'\])]")
_FIELD = re.compile(
    r"""["'](?i:seed|seed_?hex|hex_?seed|seed_?phrase|recovery_?phrase|mnemonic|priv(?:ate)?_?key|secret_?key"""
    r"""|master_?private_?key|xprv|wif)\\?["']\s{0,20}:\s{0,20}\\?["'][^"'\s][^"']{7}"""
)


def find_named_secret(text: str) -> SecretKind | None:
    """Return the kind of secret that its surroundings in `text` give away, else None. Linear in its length."""
    lowered = text.lower()
    if not any(mark in lowered for mark in _ANY_MARK):
        return None
    if _FIELD.search(text) is not None:
        return SecretKind.WALLET_FIELD
    return find_named_hex(text)


def find_named_hex(text: str) -> SecretKind | None:
    """Return HEX_SEED if `text` holds hex that the words beside it call a secret, else None."""
    for match in _HEX.finditer(text):
        if _is_named_secret(text, match, match[0]):
            return SecretKind.HEX_SEED
    for match in _HEX_GROUPS.finditer(text):
        digits = "".join(re.split(r"[ :-]", match[0]))
        if len(digits) >= 32 and _is_named_secret(text, match, digits):
            return SecretKind.HEX_SEED
    return None


def _is_named_secret(text: str, match: re.Match[str], digits: str) -> bool:
    if len(digits) > _MAX_HEX or _is_public_key(digits):
        return False
    before = text[max(0, match.start() - _CONTEXT) : match.start()]
    after = _END_OF_REMARK.split(text[match.end() : match.end() + _CONTEXT // 2], maxsplit=1)[0]
    if _ANY_SIGNAL.search(before) is None and _ANY_SIGNAL.search(after) is None:
        return False
    words = _label_words(before)
    for word in reversed(words[-6:]):
        if word in _PUBLIC_WORDS:
            return False
        if word in _SECRET_WORDS:
            return True
    if not _KEY_WORDS.isdisjoint(words[-2:]) and len(digits) == 64:
        return True
    return not _SECRET_WORDS.isdisjoint(_words(after))


def _label_words(before: str) -> list[str]:
    """Return the words of the label: those on the hex's own line, or else on the line above."""
    label = _HEX.split(before)[-1]
    lines = label.splitlines() or [""]
    own = [] if label.endswith(("\n", "\r")) else _words(lines[-1])
    return own or _words(" ".join(lines[-2:]))


def _words(text: str) -> list[str]:
    return [word.lower() for word in _LABEL_WORD.findall(text)]


def _is_public_key(digits: str) -> bool:
    return (len(digits) == 66 and digits[:2] in ("02", "03")) or (len(digits) == 130 and digits[:2] == "04")
