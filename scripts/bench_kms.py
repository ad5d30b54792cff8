"""GenerateDataKey and Sign over AWS JSON 1.1, beside the other emulators of AWS KMS.

Every round starts each server anew, has it prove its answers, and loads it with one operation after
the other; the servers take turns, so that each has the machine to itself. The figures are medians of
the rounds, the ratios medians of each round's.
"""

import base64
import statistics
import tempfile
from pathlib import Path

import bench_peers
from bench_aws import Endpoint
from bench_server import ROOT, ROUNDS, Server, show

CONNECTIONS = 64
SECONDS = 4
PEER_SECONDS = 3  # some hundred calls a second do not get steadier with more
RSA_KEY = {"KeySpec": "RSA_4096", "KeyUsage": "SIGN_VERIFY"}


def main(peers):
    starts = bench_peers.found(peers, bench_peers.KMS)
    rounds = []
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as folder:
        for number in range(ROUNDS):
            scratch = Path(folder) / str(number)
            scratch.mkdir()
            rounds.append({
                "durable": measure(Server(scratch / "data"), SECONDS),
                "ephemeral": measure(Server(), SECONDS),
                **{name: measure(start(scratch), PEER_SECONDS) for name, start in starts.items()},
            })
        table(rounds)
        for bar, ours in ("≥ 60", "durable"), ("≥ 120", "ephemeral"):
            for name in starts:
                beside(rounds, ours, name, bar if name == "moto" else "")
        for ours in "durable", "ephemeral":
            tail(rounds, ours)
        beside_rsa("durable", lambda number: Server(Path(folder) / f"rsa-{number}"))
        beside_rsa("ephemeral", lambda _: Server())


def measure(server, seconds):
    """What one server does in one round, by operation."""
    with server:
        endpoint = Endpoint(server.port)
        started = endpoint.first_key(server)
        figures = {}
        for operation, members in proven(endpoint).items():
            found = endpoint.load(CONNECTIONS, seconds, operation, **members)
            figures[operation] = {**found, "started": started, "resident": server.resident()}
        return figures


def proven(endpoint):
    """The calls to load with, after Decrypt and Verify have said that their answers are right."""
    key_id = endpoint.call("CreateKey")["KeyMetadata"]["KeyId"]
    data_key = {"KeyId": key_id, "KeySpec": "AES_256"}
    made = endpoint.call("GenerateDataKey", **data_key)
    opened = endpoint.call("Decrypt", CiphertextBlob=made["CiphertextBlob"])
    assert opened["Plaintext"] == made["Plaintext"]
    assert len(base64.b64decode(made["Plaintext"])) == 32
    pair = endpoint.call("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    sign = {
        "KeyId": pair["KeyMetadata"]["KeyId"],
        "Message": base64.b64encode(bytes(range(32))).decode(),
        "MessageType": "RAW",
        "SigningAlgorithm": "ECDSA_SHA_256",
    }
    signature = endpoint.call("Sign", **sign)["Signature"]
    assert endpoint.call("Verify", Signature=signature, **sign)["SignatureValid"] is True
    return {"GenerateDataKey": data_key, "Sign": sign}


def table(rounds):
    heads = "req/s", "p50 ms", "p99 ms", "errors", "start ms", "RSS MiB"
    print(f"{'':<10} {'':<16}" + "".join(f"{head:>10}" for head in heads))
    for name in rounds[0]:
        for operation in rounds[0][name]:
            here = [figures[name][operation] for figures in rounds]
            middle = {key: statistics.median(figures[key] for figures in here) for key in here[0]}
            errors = sum(figures["errors"] for figures in here)
            print(
                f"{name:<10} {operation:<16}{middle['rate']:>10.0f}"
                f"{middle['p50_us'] / 1000:>10.2f}{middle['p99_us'] / 1000:>10.2f}"
                f"{errors:>10}{middle['started']:>10.0f}{middle['resident']:>10.0f}",
                flush=True,
            )
    print()


def beside(rounds, ours, peer, bar):
    for operation in rounds[0][ours]:
        rates = [
            (figures[ours][operation]["rate"], figures[peer][operation]["rate"])
            for figures in rounds
        ]
        show_middle(f"{operation}, {ours} : {peer}", rates, bar, "{:.0f}/s : {:.0f}/s")


def tail(rounds, ours):
    for operation in rounds[0][ours]:
        waits = [
            (figures[ours][operation]["p99_us"] / 1000, figures[ours][operation]["p50_us"] / 1000)
            for figures in rounds
        ]
        show_middle(f"{operation}, {ours}, p99 : p50", waits, "< 10", "{:.2f} ms : {:.2f} ms")


def beside_rsa(ours, start):
    """The slowest calls while two other connections have RSA-4096 keys made, and while none does."""
    waits, keys, errors = [], 0, 0
    for number in range(ROUNDS):
        with start(number) as server:
            endpoint = Endpoint(server.port)
            members = proven(endpoint)["GenerateDataKey"]
            call = CONNECTIONS, SECONDS, "GenerateDataKey"
            alone = endpoint.load(*call, **members)
            with endpoint.begin_load(2, SECONDS + 2, "CreateKey", **RSA_KEY) as making:
                beside = endpoint.load(*call, **members)
                made = making.figures()
        waits.append((beside["p99_us"] / 1000, alone["p99_us"] / 1000))
        keys += made["calls"]
        errors += alone["errors"] + beside["errors"] + made["errors"]
    detail = f"{{:.2f}} ms : {{:.2f}} ms, {keys} RSA-4096 keys made, {errors} errors"
    show_middle(f"GenerateDataKey, {ours}, p99 beside RSA : alone", waits, "≤ 2", detail)


def show_middle(what, pairs, bar, detail):
    """The median of the pairs' ratios, and the pair that it is of."""
    one, other = sorted(pairs, key=lambda pair: pair[0] / max(pair[1], 1e-9))[len(pairs) // 2]
    show(what, one / max(other, 1e-9), bar, detail.format(one, other))
