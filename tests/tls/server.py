"""The other end of the TLS cases: `openssl s_server`, or bytes that a case writes itself, behind a
CONNECT proxy that knows every name, and that can cut, spoil or stall what comes back."""
import ctypes
import signal
import socket
import subprocess
import threading
import time

ANSWER_EVENTS = ('data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,'
                 '"delta":{"role":"assistant","content":"Because."},"finish_reason":null}]}\n\n')
ANSWER_END = ('data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,'
              '"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def answer(framing="length", events=ANSWER_EVENTS + ANSWER_END, missing=0, more=""):
    """A whole answer, but for its last `missing` bytes."""
    head = HEAD + more
    if framing == "length":
        text = f"{head}Content-Length: {len(events)}\r\n\r\n{events}"
    elif framing == "chunked":
        text = f"{head}Transfer-Encoding: chunked\r\n\r\n{len(events):x}\r\n{events}\r\n0\r\n\r\n"
    else:
        text = f"{head}Connection: close\r\n\r\n{events}"
    return text[:len(text) - missing].encode()


def end_with_parent():
    """In the child, before exec: to end when the thread that began it does, however that dies."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class Openssl:
    """One s_server. `said` is what it printed, what came decrypted among it; a whole request is
    answered with `response`."""

    def __init__(self, arguments, folder, response=None, then=None):
        self.said = bytearray()
        self.response = answer() if response is None else response
        self.then = then  # "close": with a close_notify, "renegotiate": before the answer
        self.answered = threading.Event()
        self.on_reply = lambda: None
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", *map(str, arguments)], cwd=folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent)
        self.port = self.read_port()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read_port(self):
        for line in self.process.stdout:
            self.said += line
            if line.startswith(b"ACCEPT "):
                return int(line.rsplit(b":", 1)[1])
        raise RuntimeError(f"s_server: {self.said.decode()}")

    def read(self):
        taken = 0
        while data := self.process.stdout.read1(65536):
            self.said += data
            at = self.said.find(b"POST ", taken)
            end = self.said.find(b"\r\n\r\n", at)
            if at >= 0 and end >= 0 and self.said[end + 4:].rstrip().endswith(b"}"):
                taken = len(self.said)
                self.reply()

    def reply(self):
        stdin = self.process.stdin
        self.on_reply()
        try:
            if self.then == "renegotiate":
                stdin.write(b"R\n")
                stdin.flush()
                time.sleep(0.1)
            stdin.write(self.response)
            stdin.flush()
            self.answered.set()
            if self.then == "close":
                stdin.close()
        except OSError:
            pass

    def stop(self):
        self.process.kill()
        self.reader.join()
        self.process.wait()
        self.process.stdout.close()
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except OSError:
                pass
        return bytes(self.said)


class Nginx:
    """One nginx that answers by itself. The socket is made here and inherited, so that no port is
    guessed and nobody waits for it to be ready. What it `said` is its access log."""

    CONFIGURATION = """
daemon off; worker_processes 1; pid nginx.pid; error_log error.log;
events { worker_connections 64; }
http {
  access_log access.log;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:%d ssl; ssl_certificate %s; ssl_certificate_key %s; %s
    location / { default_type text/event-stream; return 200 '%s'; }
  }
}
"""

    def __init__(self, program, folder, certificate, directives):
        self.folder = folder
        self.answered = threading.Event()
        folder.mkdir()
        whole = folder / "whole.pem"
        whole.write_text("".join(one.text() for one in (certificate, *certificate.chain)))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            text = self.CONFIGURATION % (self.port, whole, certificate.key, directives,
                                         ANSWER_EVENTS + ANSWER_END)
            (folder / "nginx.conf").write_text(text)
            self.process = subprocess.Popen(
                [program, "-p", folder, "-e", "error.log", "-c", "nginx.conf"],
                env={"NGINX": f"{listener.fileno()};"}, pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL, preexec_fn=end_with_parent)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        return (self.folder / "access.log").read_bytes() + (self.folder / "error.log").read_bytes()


class Proxy:
    """Takes every CONNECT, or, when it is `direct`, is what was asked for. Connection i goes to peers[i], or to the last: a port, or a function of
    the socket. `spoil(data, position, number)` may change or cut what comes back, and returns
    (data, end); an end is None, "fin", "reset" or "stall"."""

    def __init__(self, peers, spoil=None, truncates=None, direct=None):
        self.direct = direct  # an address to listen at
        self.peers, self.spoil = peers, spoil
        self.truncates = truncates  # the Openssl after whose answer there is a FIN
        self.position = self.floor = 0  # bytes for the client; before the answer
        if truncates:
            truncates.on_reply = self.mark
        self.received = bytearray()  # after the CONNECT
        self.connections = 0
        self.is_open = True
        self.threads, self.sockets = [], []
        family = socket.AF_INET6 if direct and ":" in direct else socket.AF_INET
        self.listener = socket.create_server((direct or "127.0.0.1", 0), family=family)
        self.port = self.listener.getsockname()[1]
        self.start(self.accept)

    def mark(self):
        self.floor = self.position

    def is_answered(self):
        """The answer went through, as far as its length tells."""
        return (self.truncates.answered.is_set() and
                self.position >= self.floor + len(self.truncates.response))

    def start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()
        return thread

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(client)
            number = self.connections
            self.connections += 1
            self.start(self.serve, client, number)

    def serve(self, client, number):
        try:
            if not self.direct and not self.connect(client):
                return
            peer = self.peers[min(number, len(self.peers) - 1)]
            if callable(peer):
                peer(Recorded(client, self.received))
            else:
                self.join(client, peer, number)
        except OSError:
            pass
        finally:
            client.close()

    def connect(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = client.recv(1)
            if not byte:
                return False
            head += byte
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return True

    def join(self, client, port, number):
        server = socket.create_connection(("127.0.0.1", port))
        self.sockets.append(server)
        forward = self.start(self.forward, client, server)
        position, end = 0, None
        if self.truncates:
            server.settimeout(0.1)
        while end is None:
            try:
                data = server.recv(65536)
            except TimeoutError:
                end = "fin" if self.is_answered() else None
                continue
            if not data:
                break
            if self.spoil:
                data, end = self.spoil(data, position, number)
            position += len(data)
            client.sendall(data)
            self.position = position
        if end == "stall":
            while self.is_open and client.recv(65536):
                pass
        if end == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.shutdown(socket.SHUT_RD)  # so that nobody reads, and the close is one
            forward.join()
        elif end != "stall":
            client.shutdown(socket.SHUT_WR)
            client.settimeout(1)
            while client.recv(65536):
                pass
        client.close()
        server.close()

    def forward(self, client, server):
        try:
            while data := client.recv(65536):
                self.received += data
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self.is_open = False
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in self.sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(5)
        return bytes(self.received)


class Recorded:
    """A socket that keeps what it received."""

    def __init__(self, client, received):
        self.client, self.received = client, received

    def recv(self, size=65536):
        data = self.client.recv(size)
        self.received += data
        return data

    def send(self, data):
        self.client.sendall(data)

    def drain(self):
        """Until the client goes."""
        while self.recv():
            pass

    def reset(self):
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
