"""The node's set of unspent outputs, searched for given scripts: the second route to the coins.

`scantxoutset` knows nothing of wallets, so it finds what a wallet missed. The scripts go in
already derived, as `raw(…)`, which is ten times faster than a ranged descriptor. The search
runs in a thread of its own while its progress is asked for over a second connection.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from custody.bitcoin.amount import sum_sats
from custody.bitcoin.descriptor import add_checksum
from custody.chain.answers import (
    as_bytes,
    as_flag,
    as_hash,
    as_integer,
    as_list,
    as_object,
    as_outpoint,
    as_sats,
)
from custody.chain.json_rpc import JsonRpc, RpcRefused, RpcTimeout, RpcValue, invalid_answer
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainCoin, Progress

_METHOD = "scantxoutset"
_TIMEOUT_S = 3600
_ALREADY_SCANNING = -8
_POLL_S = 1


def search_unspent(
    node: JsonRpc, scripts: frozenset[bytes], progress: Progress
) -> tuple[str, int, tuple[ChainCoin, ...]]:
    """Return hash and height of a block, and the scripts' unspent outputs at that block.

    Raises:
        ChainUnavailable: NODE_BUSY while another search runs.
    """
    if not scripts:
        raise invalid_answer(_METHOD, "can't be asked for without scripts")
    answer = as_object(run_search(node, _METHOD, scripts, (), "searching all unspent outputs", progress), _METHOD)
    if not as_flag(answer.get("success"), _METHOD):
        raise _busy("the node's search of its unspent outputs was stopped")
    height = as_integer(answer.get("height"), _METHOD)
    coins = tuple(_coin(value, scripts, height) for value in as_list(answer.get("unspents"), _METHOD))
    if sum_sats(coin.value for coin in coins) != as_sats(answer.get("total_amount"), _METHOD):
        raise invalid_answer(_METHOD, "has a total that isn't the sum of its coins")
    if len({coin.outpoint for coin in coins}) != len(coins):
        raise invalid_answer(_METHOD, "has a coin twice")
    return as_hash(answer.get("bestblock"), _METHOD), height, coins


def run_search(
    node: JsonRpc, method: str, scripts: frozenset[bytes], params: Sequence[RpcValue], what: str, progress: Progress
) -> RpcValue:
    """Return the answer of `scantxoutset` or `scanblocks`, whose progress is asked for meanwhile.

    Raises:
        ChainUnavailable: NODE_BUSY while another search runs.
    """
    with ThreadPoolExecutor(max_workers=1) as executor:
        search = executor.submit(_start, node.with_timeout(_TIMEOUT_S), method, scripts, params)
        _follow(node, method, search, what, progress)
        return search.result()


def _start(node: JsonRpc, method: str, scripts: frozenset[bytes], params: Sequence[RpcValue]) -> RpcValue:
    objects: list[RpcValue] = [add_checksum(f"raw({script.hex()})") for script in sorted(scripts)]
    try:
        return node.call(method, ["start", objects, *params])
    except RpcTimeout as error:
        raise _busy("the node is still searching") from error
    except RpcRefused as error:
        if error.number == _ALREADY_SCANNING and "progress" in error.words.lower():
            raise _busy("the node is already searching for somebody") from error
        raise


def _follow(node: JsonRpc, method: str, search: "Future[RpcValue]", what: str, progress: Progress) -> None:
    try:
        while True:
            try:
                search.exception(timeout=_POLL_S)
                return
            except TimeoutError:
                status = node.call(method, ["status"])
                if isinstance(status, dict):
                    progress(what, as_integer(status.get("progress"), method, high=100), 100)
    except BaseException:
        # Without this, leaving on an error or on Ctrl-C would wait for the whole search.
        if not search.done():
            node.call(method, ["abort"])
        raise


def _coin(value: RpcValue, scripts: frozenset[bytes], tip_height: int) -> ChainCoin:
    entry = as_object(value, _METHOD)
    script = as_bytes(entry.get("scriptPubKey"), _METHOD)
    if script not in scripts:
        raise invalid_answer(_METHOD, "has a coin of a script that was not asked for")
    return ChainCoin(
        as_outpoint(entry, _METHOD),
        as_sats(entry.get("amount"), _METHOD),
        script,
        as_integer(entry.get("height"), _METHOD, high=tip_height),
        as_flag(entry.get("coinbase"), _METHOD),
    )


def _busy(what: str) -> ChainUnavailable:
    return ChainUnavailable(Code.NODE_BUSY, what, advice="Wait until the node has finished, then repeat the command.")
