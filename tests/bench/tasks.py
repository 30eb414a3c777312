"""The work that `make bench` measures; each task runs alone in a process of its own: `tasks.py TASK ARGUMENTS…`.

Prints one JSON object. Peak memory is the highest resident size of that process, interpreter
and libraries included, so compare it with the figure for one input.
"""

import base64
import json
import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

REPEATS = 5
COIN_SATS = 1_000_000
FEE_SATS_PER_INPUT = 400
SIGNERS = (0, 2, 4)
Result = dict[str, object]


def build(folder: str, *counts: str) -> Result:
    """Write a vault file, its descriptor, and fully signed 3-of-5 payments of so many inputs."""
    from custody.vault.cosigner import Cosigner
    from custody.vault.formats import vault_file
    from custody.vault.vault import Vault
    from support.psbt_builder import TestVault

    bench = TestVault()
    vault = Vault.from_cosigners(
        tuple(Cosigner(f"signer-{number}", bench.key_expression(number)) for number in range(bench.key_count)),
        name="bench",
        network=bench.network,
        script_type=bench.script_type,
        threshold=bench.threshold,
    )
    (Path(folder) / "vault.yaml").write_text(vault_file.write(vault))
    (Path(folder) / "descriptor.txt").write_text(bench.descriptor_text)
    sizes = {}
    for count in counts:
        raw = _signed_payment(bench, int(count))
        (Path(folder) / f"{count}.psbt").write_bytes(raw)
        sizes[count] = len(raw)
    return {"bytes": sizes}


def _signed_payment(bench: "object", count: int) -> bytes:
    from custody.bitcoin.psbt import PartialSignature
    from custody.bitcoin.sighash import SegwitV0Hasher
    from support.psbt_builder import EXTERNAL_SCRIPT, Change, Coin, Pay, TestVault, sign_digest

    assert isinstance(bench, TestVault)
    coins = [Coin(0, index, COIN_SATS) for index in range(count)]
    paid = count * COIN_SATS // 2
    change = count * COIN_SATS - paid - count * FEE_SATS_PER_INPUT
    payment = bench.payment(coins, [Pay(EXTERNAL_SCRIPT, paid), Change(0, change)])
    hasher = SegwitV0Hasher(payment.psbt.unsigned_transaction())
    inputs = []
    for number, (one, coin, script) in enumerate(zip(payment.psbt.inputs, coins, payment.scripts, strict=True)):
        digest = hasher.digest(number, script.witness_script, script.value)
        signatures = [
            PartialSignature(payment.public_key(number, signer), sign_digest(bench, signer, coin, digest) + b"\x01")
            for signer in SIGNERS
        ]
        ordered = tuple(sorted(signatures, key=lambda entry: entry.public_key))
        inputs.append(replace(one, partial_signatures=ordered))
    return replace(payment.psbt, inputs=tuple(inputs)).serialize()


def review_library(path: str, vault_path: str) -> Result:
    """Parse and review with both engines, as `custody psbt review` does, without reading or printing."""
    from custody.bitcoin.psbt import psbt_from_text_or_bytes
    from custody.spend.review_model import ReviewContext
    from custody.vault.formats import vault_file
    from custody.workflow.review_psbt import review_psbt

    raw, vault = Path(path).read_bytes(), vault_file.parse(Path(vault_path).read_bytes())

    def work() -> None:
        answer = review_psbt(psbt_from_text_or_bytes(raw), vault, ReviewContext())
        assert answer.verdict != "refused", [finding.code for finding in answer.findings]

    return _measured(work)


def parse_library(path: str) -> Result:
    """Parse with our reader."""
    from custody.bitcoin.psbt import psbt_from_text_or_bytes

    raw = Path(path).read_bytes()
    return _measured(lambda: psbt_from_text_or_bytes(raw))


def parse_embit(path: str) -> Result:
    """Parse with embit."""
    from embit.psbt import PSBT

    raw = Path(path).read_bytes()
    return _measured(lambda: PSBT.parse(raw))


def parse_libwally(path: str) -> Result:
    """Parse with libwally."""
    wally = _wally()
    raw = Path(path).read_bytes()
    return _measured(lambda: wally.psbt_from_bytes(raw, 0))  # type: ignore[attr-defined]


def addresses_custody(descriptor: str, count: str) -> Result:
    """Derive with our first engine."""
    from custody.bitcoin.derivation import ScriptDeriver
    from custody.bitcoin.descriptor import Descriptor
    from custody.bitcoin.network import Network

    deriver = ScriptDeriver(Descriptor.parse(Path(descriptor).read_text(), Network.REGTEST))
    return _per_second(lambda: [deriver.address_at(0, index, Network.REGTEST) for index in range(int(count))])


def addresses_libwally(descriptor: str, count: str) -> Result:
    """Derive with libwally, in one call."""
    from custody.bitcoin.network import Network
    from custody.bitcoin.second_opinion import SecondOpinion

    second = SecondOpinion(Path(descriptor).read_text(), Network.REGTEST)
    return _per_second(lambda: second.addresses(0, 0, int(count)))


def addresses_embit(descriptor: str, count: str) -> Result:
    """Derive with embit."""
    from embit.descriptor import Descriptor
    from embit.networks import NETWORKS

    parsed = Descriptor.from_string(Path(descriptor).read_text())
    network = NETWORKS["regtest"]
    return _per_second(lambda: [parsed.derive(index, branch_index=0).address(network) for index in range(int(count))])


def node(folder: str, count: str, *files: str) -> Result:
    """Ask a bitcoind, over JSON-RPC: `analyzepsbt` of each file, `deriveaddresses`. Empty where there is none."""
    from custody.bitcoin.descriptor import Branch, Descriptor
    from custody.bitcoin.network import Network
    from support.node import find_bitcoind, start, stop

    program = find_bitcoind()
    if program is None:
        return {}
    descriptor = Descriptor.parse((Path(folder) / "descriptor.txt").read_text(), Network.REGTEST)
    receive = descriptor.single_branch_text(Branch.RECEIVE, Network.REGTEST)
    with tempfile.TemporaryDirectory(prefix="custody-bench-") as data:
        process, running = start(program, Path(data))
        try:
            analyzed = {}
            for name in files:
                text = base64.b64encode((Path(folder) / f"{name}.psbt").read_bytes()).decode()
                analyzed[name] = _measured(lambda text=text: running.rpc("analyzepsbt", text))["seconds"]  # type: ignore[misc]
            derived = _per_second(lambda: running.rpc("deriveaddresses", receive, [0, int(count) - 1]))
            info = running.rpc("getnetworkinfo")
        finally:
            stop(process)
    assert isinstance(info, dict)
    return {"version": info["subversion"], "analyzepsbt": analyzed, **derived}


def _wally() -> object:
    # As custody/bitcoin/second_opinion.py does: with warnings as errors, the import would crash.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import wallycore

    return wallycore


def _measured(work: Callable[[], object]) -> Result:
    seconds = _median(work)
    return {"seconds": seconds, "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def _per_second(work: Callable[[], list[str] | object]) -> Result:
    made = work()
    assert isinstance(made, list)
    return {"per_second": len(made) / _median(work), "first": made[0], "last": made[-1]}


def _median(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


TASKS: dict[str, Callable[..., Result]] = {
    task.__name__: task
    for task in (
        build,
        review_library,
        parse_library,
        parse_embit,
        parse_libwally,
        addresses_custody,
        addresses_libwally,
        addresses_embit,
        node,
    )
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
