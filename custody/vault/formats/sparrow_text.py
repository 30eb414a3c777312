"""Descriptors with headings and labels, as Sparrow exports them: up to three ways to say one vault. Read only.

Headings are comments (`# Receive and change descriptor:`), labels stand before the descriptor
(`Receive: wsh(…)`). All descriptors must be of one vault, and a label must fit its branch.
Source: sparrowwallet/sparrow, io/Descriptor.java.
"""

import re

from custody.bitcoin.descriptor import Branch, Descriptor, join_branches
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, InvalidInput
from custody.vault.formats.foreign_keys import inconsistent
from custody.vault.formats.foreign_text import read_lines
from custody.vault.vault_id import vault_id

SHAPE = re.compile(rb"(?i)\s*(?:#[^\n]*\bdescriptor\b|(?:receive|change)\s*:\s*[a-z]+\()")
_LINE = re.compile(r"(?:(?P<label>[A-Za-z ]{1,30}):\s*)?(?P<descriptor>[a-z]+\(.*)", re.ASCII)
_BRANCHES = {"receive": (0,), "change": (1,), "receive and change": (0, 1)}


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the one vault that all descriptors in the text are of.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT, IMPORT_INCONSISTENT, VAULT_MISMATCH, and all that
            descriptors are refused for.
    """
    read = [_labelled(line, network) for line in _lines(data)]
    whole = [descriptor for descriptor in read if len(descriptor.branches) > 1]
    receive = [descriptor for descriptor in read if descriptor.branches == (Branch.RECEIVE,)]
    change = [descriptor for descriptor in read if descriptor.branches == (Branch.CHANGE,)]
    if receive and change:
        whole.append(join_branches(receive[0], change[0]))
    if not whole and len(read) == 1:
        return read[0], ()
    ids = {vault_id(network, descriptor) for descriptor in whole}
    if len(ids) != 1 or len(receive) > 1 or len(change) > 1 or len(receive) != len(change):
        raise inconsistent("the descriptors in the text are not one vault's")
    return whole[0], ()


def _labelled(line: str, network: Network) -> Descriptor:
    match = _LINE.fullmatch(line)
    if match is None:
        raise _malformed("a line of the text is neither a comment nor a descriptor")
    descriptor = Descriptor.parse(match["descriptor"], network)
    label = (match["label"] or "").strip().lower()
    if label and _BRANCHES.get(label) != descriptor.branches:
        raise inconsistent("a label of the text does not fit the branch of its descriptor")
    return descriptor


def _lines(data: bytes) -> list[str]:
    found = [line for line in read_lines(data, "the text") if line and not line.startswith("#")]
    if not 1 <= len(found) <= 3:
        raise _malformed(f"the text holds {len(found)} descriptors, expected one to three")
    return found


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(Code.MALFORMED_DOCUMENT, message, advice="Export the output descriptor again.")
