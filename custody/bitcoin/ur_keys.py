"""Keys and paths as uniform resources write them, turned into the text of descriptors and back.

Source: BCR-2020-007 (hdkey, keypath, coin-info), BCR-2020-008 (eckey), with the tags of both generations
(303 and 40303, …). A private key is refused before anything else is said. What is read here is text for a
person or an import; whether the key and its origin fit together is judged there (`keys.KeyExpression`).
"""

from collections.abc import Iterable, Mapping

from custody.bitcoin.curve import PublicKey
from custody.bitcoin.keys import HARDENED, ExtendedKey, KeyExpression, format_path
from custody.bitcoin.network import Network
from custody.documents.qr.cbor import CborValue, Tagged
from custody.documents.qr.refusals import malformed, secret, unsupported
from custody.documents.secret_kinds import SecretKind

HDKEY_TAGS = (303, 40303)
_KEYPATH_TAGS = (304, 40304)
_COIN_TAGS = (305, 40305)
_ECKEY_TAGS = (306, 40306)
_SECRET_TAGS = frozenset((300, 301, 309, 40300, 40309))
"""Seeds, phrases and shares of them."""
_BITCOIN, _TESTNET = 0, 1
_MAX_STEPS = 255

_Map = Mapping[int | str, CborValue]


def require_public(value: CborValue) -> None:
    """Refuse a value that holds a seed or a private key anywhere, by its tags and its fields.

    Raises:
        SecretRefused: it does.
    """
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Tagged):
            if item.tag in _SECRET_TAGS:
                raise secret(SecretKind.SEED_UR, "a QR code")
            if item.tag in (*HDKEY_TAGS, *_ECKEY_TAGS):
                _require_public_key(item.value)
            waiting.append(item.value)
        elif isinstance(item, tuple):
            waiting.extend(item)
        elif isinstance(item, Mapping):
            waiting.extend(item.values())


def _require_public_key(value: CborValue) -> None:
    if not isinstance(value, Mapping):
        return
    key = value.get(3)
    is_short = isinstance(key, bytes) and (len(key) == 32 or key.startswith(b"\0"))
    if value.get(2) not in (None, False) or value.get(1) not in (None, False, 0) or is_short:
        raise secret(SecretKind.EXTENDED_PRIVATE_KEY, "a QR code")


def hdkey_text(value: CborValue) -> str:
    """Return an hdkey as `[fingerprint/path]xpub/steps`, with `h` markers; the origin only if it has one.

    Raises:
        SecretRefused: it is private.
        InvalidInput: QR_MALFORMED, QR_UNSUPPORTED (another coin), or what `ExtendedKey` refuses.
    """
    _require_public_key(value)
    fields = _fields(value, 10)
    key, chain_code = _bytes(fields, 3), _bytes(fields, 4)
    network = _network(fields.get(5))
    path, fingerprint, depth = _origin(fields.get(6))
    parent = fields.get(8)
    if depth == 0:
        parent_bytes = bytes(4)
    elif parent is not None:
        parent_bytes = _fingerprint(parent)
    else:
        parent_bytes = fingerprint if depth == 1 and fingerprint is not None else bytes(4)
    extended = ExtendedKey(depth, parent_bytes, path[-1] if path and depth else 0, chain_code, key)
    origin = "" if fingerprint is None else f"[{'/'.join(filter(None, (fingerprint.hex(), format_path(path))))}]"
    return f"{origin}{extended.to_base58(network)}{_children_text(fields.get(7))}"


def eckey_text(value: CborValue) -> str:
    """Return a public eckey in hex; compressed keys alone.

    Raises:
        SecretRefused: it is private.
        InvalidInput: QR_MALFORMED, INVALID_PUBLIC_KEY.
    """
    _require_public_key(value)
    key = _bytes(_fields(value, 3), 3)
    PublicKey(key)
    return key.hex()


def key_text(value: CborValue) -> str:
    """Return a tagged hdkey or eckey as a descriptor writes it; errors as `hdkey_text` and `eckey_text`."""
    if isinstance(value, Tagged) and value.tag in HDKEY_TAGS:
        return hdkey_text(value.value)
    if isinstance(value, Tagged) and value.tag in _ECKEY_TAGS:
        return eckey_text(value.value)
    raise malformed("a key of a descriptor is neither an hdkey nor an eckey")


def hdkey_value(expression: KeyExpression, branches: Iterable[int], network: Network, *, tags: int) -> Tagged:
    """Return a vault's key as a tagged hdkey, its steps `<0;1>/*` (or one branch) as children.

    `tags` is 303 or 40303, which decides the generation of all tags inside.
    """
    steps = tuple(branches)
    first: CborValue = tuple(part for step in steps for part in (int(step), False))
    children: tuple[CborValue, ...] = (first, (), False) if len(steps) > 1 else (int(steps[0]), False, (), False)
    more: dict[int | str, CborValue] = {7: Tagged(304 + tags - HDKEY_TAGS[0], {1: children})}
    return Tagged(tags, {**_key_fields(expression, network, tags, {3: expression.key.depth}), **more})


def account_key_value(expression: KeyExpression, network: Network, *, tags: int) -> Tagged:
    """Return a cosigner's key as a tagged hdkey without children, as accounts hold it; else as `hdkey_value`."""
    return Tagged(tags, _key_fields(expression, network, tags, {}))


def _key_fields(
    expression: KeyExpression, network: Network, tags: int, origin_more: _Map
) -> dict[int | str, CborValue]:
    shift = tags - HDKEY_TAGS[0]
    key, origin = expression.key, expression.origin
    path = tuple(part for step in origin.path for part in (step % HARDENED, step >= HARDENED))
    fields: dict[int | str, CborValue] = {
        3: key.public_key,
        4: key.chain_code,
        6: Tagged(304 + shift, {1: path, 2: int.from_bytes(origin.fingerprint, "big"), **origin_more}),
    }
    if key.depth:
        fields[8] = int.from_bytes(key.parent_fingerprint, "big")
    if not network.is_main:
        fields[5] = Tagged(305 + shift, {2: _TESTNET})
    return fields


def _fields(value: CborValue, highest: int) -> _Map:
    if not isinstance(value, Mapping) or any(not isinstance(key, int) or not 1 <= key <= highest for key in value):
        raise malformed("a key has fields that its type doesn't have")
    return value


def _bytes(fields: _Map, number: int) -> bytes:
    found = fields.get(number)
    if not isinstance(found, bytes):
        raise malformed("a key lacks its public key or its chain code")
    return found


def _number(value: CborValue, limit: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value > limit:
        raise malformed("a key or path holds no number, or one too large, where one belongs")
    return value


def _fingerprint(value: CborValue) -> bytes:
    return _number(value, 0xFFFFFFFF).to_bytes(4, "big")


def _network(value: CborValue) -> Network:
    if value is None:
        return Network.MAIN
    if not isinstance(value, Tagged) or value.tag not in _COIN_TAGS:
        raise malformed("a key's use is not told as a coin")
    fields = _fields(value.value, 2)
    coin, network = fields.get(1, _BITCOIN), fields.get(2, 0)
    if coin != _BITCOIN or network not in (0, _TESTNET):
        raise unsupported("a key is for another coin than bitcoin")
    return Network.MAIN if network == 0 else Network.TESTNET4


def _origin(value: CborValue) -> tuple[tuple[int, ...], bytes | None, int]:
    """Return path, master fingerprint and depth of an origin; nothing known without one."""
    if value is None:
        return (), None, 0
    fields = _keypath(value)
    path = tuple(step for steps in _steps(fields.get(1)) for step in steps)
    if any(len(steps) != 1 for steps in _steps(fields.get(1))):
        raise malformed("the origin of a key has a wildcard or a choice in its path")
    fingerprint = fields.get(2)
    depth = _number(fields.get(3, len(path)), _MAX_STEPS)
    return path, None if fingerprint is None else _fingerprint(fingerprint), depth


def _children_text(value: CborValue) -> str:
    if value is None:
        return ""
    written = []
    for steps in _steps(_keypath(value).get(1)):
        names = [format_path((step,)) for step in steps]
        written.append("*" if not names else names[0] if len(names) == 1 else f"<{';'.join(names)}>")
    return "".join(f"/{step}" for step in written)


def _keypath(value: CborValue) -> _Map:
    if not isinstance(value, Tagged) or value.tag not in _KEYPATH_TAGS:
        raise malformed("a path of a key is not told as a path")
    return _fields(value.value, 3)


def _steps(components: CborValue) -> list[tuple[int, ...]]:
    """Return each step as its choices: one number, several for `<0;1>`, none for the wildcard.

    Source: BCR-2020-007: pairs of index and hardened flag; a pair of pairs stands in one array by itself.
    """
    if not isinstance(components, tuple) or len(components) > 2 * _MAX_STEPS:
        raise malformed("a path of a key has no components, or too many")
    found: list[tuple[int, ...]] = []
    rest = list(components)
    while rest:
        component = rest.pop(0)
        if isinstance(component, tuple) and len(component) == 4:
            found.append((_step(component[0], component[1]), _step(component[2], component[3])))
        elif not rest:
            raise malformed("a path of a key ends in the middle of a step")
        elif component == ():
            if rest.pop(0) is not False:
                raise unsupported("a path of a key has a hardened wildcard")
            found.append(())
        else:
            found.append((_step(component, rest.pop(0)),))
    return found


def _step(index: CborValue, hardened: CborValue) -> int:
    if isinstance(index, tuple):
        raise unsupported("a path of a key has a range")
    if not isinstance(hardened, bool):
        raise malformed("a step of a key's path doesn't say whether it is hardened")
    return _number(index, HARDENED - 1) + (HARDENED if hardened else 0)
