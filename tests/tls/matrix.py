#!/usr/bin/env python3
"""The program against every TLS peer of cases.py: the verdict, what the message says, and that not
one byte of HTTP reached a peer that was not accepted. usage: matrix.py MOOT FOLDER VERSION certificates|wire [NAME...]"""
import concurrent.futures
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
import cases  # noqa: E402
import cases_wire  # noqa: E402
import mint  # noqa: E402
import server  # noqa: E402

KEY = "canary-7c31-never-to-be-seen"
CONFIGURATION = """
models: {oracle: {endpoint: model-a, instruction: You know.},
         judge: {endpoint: model-b, instruction: You judge.}}
flow: [%s]
providers:
  default: {type: openai, base_url: 'https://%s/v1', api_key: env:TEST_KEY,
            retry: {max_attempts: 1},
            timeouts: {connect: %s, first_byte: 3s, idle: 1s, total: 5s}}
"""


def loopback(host):
    """The address of a host that is reached without the proxy, or None."""
    return {"127.0.0.1": "127.0.0.1", "[::1]": "::1", "[0:0::0:1]": "::1"}.get(host)


class Bench:
    """One minted world, and where what happened is written."""

    def __init__(self, moot, folder, version):
        self.moot, self.version = moot, version
        self.folder = pathlib.Path(folder)
        self.mint = mint.Mint(self.folder)
        self.nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        self.lock = threading.Lock()
        self.good = self.mint.leaf("DNS:api.test")

    def certificate(self, case):
        with self.lock:
            return case.mint(self.mint) if case.mint else self.good

    def chain_file(self, case, certificate):
        """What is sent after the leaf."""
        stranger = self.good
        parts = {
            "nothing": [], "chain": list(certificate.chain), "root": [self.mint.root],
            "leaf": [certificate], "stranger": [stranger], "reversed": certificate.chain[::-1],
            "hundred": [*certificate.chain, *[self.mint.root] * 99],
        }
        sent = [one for word in case.sends_extra or ("chain",) for one in parts[word]]
        path = self.folder / f"chain-{id(case)}.pem"
        path.write_text("".join(one.text() for one in sent))
        return path if sent else None

    def serve(self, case):
        certificate = self.certificate(case)
        if case.nginx is not None:
            return server.Nginx(self.nginx, self.folder / f"nginx-{id(case)}",
                                certificate, case.nginx)
        words = ["-cert", certificate.pem, "-key", certificate.key]
        chain = self.chain_file(case, certificate)
        if chain:
            words += ["-cert_chain", chain]
        return server.Openssl([*words, *case.words], self.folder, case.response, case.then)

    def ask(self, case, port):
        """(exit code, error or None, the whole outcome)."""
        number = id(case)
        path = self.folder / f"case-{number}.yaml"
        flow = "oracle, judge" if case.questions == 2 else "oracle"
        connect = "300ms" if case.verdict == cases.ETIMEDOUT else "3s"
        host = f"{case.host}:{port}" if loopback(case.host) else case.host
        path.write_text(CONFIGURATION % (flow, host, connect))
        environment = {"PATH": os.environ["PATH"], "TEST_KEY": KEY,
                       "HTTPS_PROXY": f"http://127.0.0.1:{port}"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        done = subprocess.run([self.moot, "ask", "--json", "-c", path, "--ca",
                               self.mint.root.pem, "Why?"], env=environment, timeout=60,
                              capture_output=True, check=False)
        text = done.stdout + done.stderr
        if done.returncode == 0:
            return cases.OK, "", text
        if not done.stdout:
            return (cases.ECONFIG if done.returncode == 1 else f"exit {done.returncode}"), \
                done.stderr.decode(), text
        error = json.loads(done.stdout)["error"]
        wanted = 1 if error["code"] == "ECERT" else 2
        if done.returncode != wanted:
            return f"exit {done.returncode} with {error['code']}", error["message"], text
        return error["code"], error["message"], text


def judge(bench, case, found, message, seen, raw):
    """What does not hold, as texts."""
    wanted = case.verdict
    if isinstance(wanted, tuple):
        wanted = wanted[0 if bench.version.startswith("2.") else 1]
    wanted = wanted if isinstance(wanted, frozenset) else {wanted}
    if found not in wanted:
        yield f"{found} ({message.strip()}), not {' or '.join(sorted(wanted))}"
    if case.says and cases.OK not in wanted and case.says not in message:
        yield f"the message is {message!r}"
    if case.shows.encode() not in seen:
        yield f"the server did not show {case.shows!r}"
    if cases.OK not in wanted and not case.reaches and (b"POST " in seen or KEY.encode() in seen):
        yield "a byte of HTTP reached the wrong peer"
    if KEY.encode() in raw or b"POST " in raw:
        yield "the request went over the wire in the clear"


def run(bench, case):
    peers, said = [], b""
    servers = []
    if case.script:
        peers.append(case.script)
    else:
        servers.append(bench.serve(case))
        peers.append(servers[0].port)
    if case.second:
        servers.append(bench.serve(case.second))
        peers.append(servers[1].port)
    proxy = server.Proxy(peers, case.spoil, servers[0] if case.truncates else None,
                         loopback(case.host))
    try:
        found, message, text = bench.ask(case, proxy.port)
    finally:
        raw = proxy.stop()
        said = b"".join(one.stop() for one in servers[-1:])
        for one in servers[:-1]:
            one.stop()
    seen = raw if case.script else said
    wrong = list(judge(bench, case, found, message, seen, raw))
    if wrong:
        (bench.folder / f"failed-{case.name.replace('/', '-')}.log").write_bytes(text + said)
    return case, found, message, wrong


def reason_to_skip(bench, case):
    """What is missing here, or None."""
    if case.nginx is not None and not bench.nginx:
        return "nginx is not installed"
    address = loopback(case.host)
    if address and ":" in address:
        try:
            socket.create_server((address, 0), family=socket.AF_INET6).close()
        except OSError:
            return "there is no IPv6 loopback"
    return None


def main():
    moot, folder, version, part, *only = sys.argv[1:]
    if not shutil.which("openssl"):
        print("skipped: openssl is not installed")
        sys.exit(77)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="moot-tls-", dir=folder))
    bench = Bench(os.path.abspath(moot), folder, version)
    chosen = []
    for case in {"certificates": cases, "wire": cases_wire}[part].CASES:
        if only and case.name not in only:
            continue
        missing = reason_to_skip(bench, case)
        if missing:
            print(f"{'skipped':7} {case.name:40} {missing}")
        else:
            chosen.append(case)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for case, found, message, wrong in pool.map(lambda case: run(bench, case), chosen):
            print(f"{'FAILED' if wrong else 'ok':7} {case.name:40} {found:10} {message.strip()}")
            for what in wrong:
                print(f"        {what}")
            failed += bool(wrong)
    print(f"{len(chosen)} TLS cases ({part}) against {subprocess.getoutput('openssl version')}, "
          f"mbedTLS {version}: {failed} failed")
    if failed:
        sys.exit(f"what happened is in {folder}")
    shutil.rmtree(folder)


main()
