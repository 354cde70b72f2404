"""What the clients talk to: the emulator, or a server that nobody of this house wrote."""
import json
import os
import shutil
import socket
import subprocess
import sys
import time

ANSWER = ("Eighty bytes of an answer that goes on for a while, as the answers of models do. " * 5)[:400]


def pinned(which):
    """The words that keep a program on the server's core, or on the others."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or not shutil.which("taskset"):
        return []
    chosen = cores[-1:] if which == "server" else cores[:-1]
    return ["taskset", "-c", ",".join(map(str, chosen))]


class Mock:
    """The emulator, for as long as the block lasts."""

    def __init__(self, moot, options, folder, before=(), answers=None):
        if not answers:
            answers = os.path.join(folder, "answers")
            with open(answers, "w", encoding="utf-8") as file:
                file.write(f"\t{ANSWER}\n")
        self.ca = os.path.join(folder, "ca.pem") if "--tls" in options else None
        extra = ["--ca-out", self.ca] if self.ca else []
        self.command = [*before, moot, "mock", "--answers", answers, *options, *extra]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            sys.exit("the emulator did not start")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    """nginx with one fixed answer to whatever is asked. With `tickets` given it speaks TLS, with a
    certificate made for the occasion, and resumes sessions or does not."""

    def __init__(self, folder, before=(), tickets=None):
        self.folder, self.port = folder, free_port()
        scheme = "http" if tickets is None else "https"
        self.url, self.ca = f"{scheme}://127.0.0.1:{self.port}", None
        secure = "" if tickets is None else self.mint(tickets)
        answer = json.dumps({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER},
                         "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 30, "completion_tokens": 100, "total_tokens": 130}})
        config = os.path.join(folder, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"daemon off; worker_processes 1; pid {folder}/nginx.pid;\n"
                       f"error_log {folder}/nginx.log;\nevents {{ worker_connections 8192; }}\n"
                       f"http {{ access_log off; keepalive_requests 1000000000;\n"
                       f"server {{ listen 127.0.0.1:{self.port}{' ssl' if secure else ''};\n"
                       f"default_type application/json; {secure}\n"
                       f"location / {{ return 200 '{answer}'; }} }} }}\n")
        self.command = [*before, "nginx", "-p", folder, "-e", f"{folder}/nginx.log", "-c", config]

    def mint(self, tickets):
        """An authority and a certificate of its; some clients refuse one that signed itself."""
        def path(name):
            return os.path.join(self.folder, name)

        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, capture_output=True)

        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self.ca = path("nginx-ca.pem")
        with open(path("san"), "w", encoding="utf-8") as file:
            file.write("subjectAltName=IP:127.0.0.1\n")
        openssl("req", "-x509", *curve, "-keyout", path("ca.key"), "-out", self.ca, "-days", "2",
                "-subj", "/CN=bench authority")
        openssl("req", *curve, "-keyout", path("nginx.key"), "-out", path("nginx.csr"),
                "-subj", "/CN=127.0.0.1")
        openssl("x509", "-req", "-in", path("nginx.csr"), "-CA", self.ca, "-CAkey", path("ca.key"),
                "-CAcreateserial", "-days", "2", "-extfile", path("san"), "-out",
                path("nginx.pem"))
        cache = "shared:one:8m" if tickets else "off"
        return (f"ssl_certificate {path('nginx.pem')}; ssl_certificate_key {path('nginx.key')}; "
                f"ssl_session_tickets {'on' if tickets else 'off'}; ssl_session_cache {cache};")

    def __enter__(self):
        self.process = subprocess.Popen(self.command)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        sys.exit("nginx did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
