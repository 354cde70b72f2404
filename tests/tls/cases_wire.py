"""The rest of the table: versions, suites and options of the server, and bytes that no server should
send. Each offset is one of the server's bytes, counted from its first; a flight of a P-256 server
is some 900 bytes, the ServerHello the first 70 of them."""
import time

import server
from cases import Case, ECERT, ERESET, ETIMEDOUT, ETLS, ETRUNCATED, OK

WEAK = "ALL:@SECLEVEL=0"
LOST = len(server.ANSWER_END) + 40  # an answer without these last bytes lacks its end


# --- what the proxy does to the server's bytes -----------------------------------------------------

def cut(after, end):
    """The first bytes only; then the connection ends, or is silent."""
    def spoil(data, position, _):
        if position + len(data) < after:
            return data, None
        return data[:after - position], end
    return spoil


def flip(offset):
    def spoil(data, position, _):
        if position <= offset < position + len(data):
            at = offset - position
            data = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1:]
        return data, None
    return spoil


def before(text):
    return lambda data, position, _: ((text if position == 0 else b"") + data, None)


def one_by_one(seconds):
    """The server's bytes, each a segment of its own."""
    def spoil(data, _, __):
        time.sleep(len(data) * seconds)
        return data, None
    return spoil


# --- peers that are no servers ---------------------------------------------------------------------

def record(kind, body=b"", version=b"\3\3", length=None):
    return bytes([kind]) + version + (len(body) if length is None else length).to_bytes(2, "big") + body


def hello(version=b"\3\3", suite=b"\xc0\x2b", compression=b"\0", more=b""):
    """A ServerHello with renegotiation_info, as it would be accepted."""
    extensions = b"\xff\x01\0\1\0"
    body = (version + bytes(range(32)) + b"\0" + suite + compression +
            len(extensions).to_bytes(2, "big") + extensions + more)
    return record(22, b"\2" + len(body).to_bytes(3, "big") + body, b"\3\3")


def says(*texts, wait=True):
    """Sends these after the client's first bytes; then waits for it to go."""
    def script(peer):
        peer.recv()
        for text in texts:
            peer.send(text)
        if wait:
            peer.drain()
    return script


def at_once(text):
    """Does not wait for the client; not behind the proxy, whose answer it would seem to be."""
    def script(peer):
        peer.send(text)
        peer.drain()
    return script


def resets(peer):
    peer.recv()
    peer.reset()


def drips(peer):
    """A byte of a long record now and then: the deadline is for all of it."""
    peer.recv()
    peer.send(b"\x16\3\3\x3f\xff")
    while True:
        time.sleep(0.05)
        peer.send(b"\2")


# --- the table -------------------------------------------------------------------------------------

def versions_and_suites():
    def rsa(mint):
        return mint.leaf(kind="rsa2048", usage="critical,digitalSignature,keyEncipherment")

    def only(suite, *more):
        return ("-tls1_2", "-cipher", suite, *more)

    yield Case("TLS 1.0 only", ETLS, words=("-tls1", "-cipher", WEAK))
    yield Case("TLS 1.1 only", ETLS, words=("-tls1_1", "-cipher", WEAK))
    yield Case("TLS 1.2 only", OK, words=("-tls1_2",))
    yield Case("TLS 1.3 only", (ETLS, OK), words=("-tls1_3",), says="1.3")
    yield Case("SSL 3.0", ETLS, script=says(hello(b"\3\0")), says="below 1.2")
    yield Case("TLS 1.0 in the ServerHello", ETLS, script=says(hello(b"\3\1")), says="below 1.2")
    yield Case("TLS 1.1 in the ServerHello", ETLS, script=says(hello(b"\3\2")), says="below 1.2")
    yield Case("CBC suites only", ETLS, words=only("ECDHE-ECDSA-AES128-SHA256"), says="cipher suite")
    yield Case("CBC, SHA-1", ETLS, words=only("ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0"))
    yield Case("static RSA only", ETLS, rsa, words=only("AES128-GCM-SHA256"))
    yield Case("DHE only", ETLS, rsa, words=only("DHE-RSA-AES128-GCM-SHA256"))
    yield Case("no authentication", ETLS, words=only("aNULL:@SECLEVEL=0", "-nocert"))
    yield Case("no encryption", ETLS, words=only("eNULL:@SECLEVEL=0"))
    yield Case("pre-shared keys only", ETLS, words=only("PSK", "-nocert", "-psk", "c0ffee"))
    yield Case("Camellia", ETLS, rsa, words=only("ECDHE-RSA-CAMELLIA128-SHA256"))
    yield Case("AES-128-GCM", OK, words=only("ECDHE-ECDSA-AES128-GCM-SHA256"))
    yield Case("AES-256-GCM", OK, words=only("ECDHE-ECDSA-AES256-GCM-SHA384"))
    yield Case("ChaCha20", OK, words=only("ECDHE-ECDSA-CHACHA20-POLY1305"))
    yield Case("RSA, AES-128-GCM", OK, rsa, words=only("ECDHE-RSA-AES128-GCM-SHA256"))
    yield Case("RSA, TLS 1.2 only", OK, rsa, words=("-tls1_2",))
    yield Case("RSA, PKCS #1 only", OK, rsa, words=("-tls1_2", "-sigalgs", "RSA+SHA256"))
    yield Case("RSA, TLS 1.3 only", (ETLS, OK), rsa, words=("-tls1_3",))
    yield Case("ECDSA, SHA-1 only", ETLS, words=("-tls1_2", "-sigalgs", "ECDSA+SHA1", "-cipher", WEAK))
    yield Case("RSA, SHA-1 only", ETLS, rsa,
               words=("-tls1_2", "-sigalgs", "RSA+SHA1", "-cipher", WEAK))
    yield Case("group x25519", OK, words=("-groups", "X25519"))
    yield Case("group P-256", OK, words=("-groups", "P-256"))
    yield Case("group P-384", OK, words=("-groups", "P-384"))
    yield Case("group x448", ETLS, words=("-groups", "X448"))
    yield Case("a suite that was not offered", ETLS, script=says(hello(suite=b"\xc0\x23")))
    yield Case("a suite without encryption", ETLS, script=says(hello(suite=b"\xc0\x06")))
    yield Case("the null suite", ETLS, script=says(hello(suite=b"\0\0")))
    yield Case("compression", ETLS, script=says(hello(compression=b"\1")))
    yield Case("bytes after the ServerHello's end", ETLS, script=says(hello(more=b"\0" * 9)))


def options():
    close = "Connection: close\r\n"
    other = Case("", OK, lambda mint: mint.leaf("DNS:other.test"))
    unknown = Case("", OK, lambda mint: mint.leaf(issuer=mint.authority("another root")))
    yield Case("a client's certificate is asked for", OK, words=("-verify", "1"))
    yield Case("a client's certificate is required", ETLS, words=("-tls1_2", "-Verify", "1"))
    yield Case("no tickets", OK, words=("-no_ticket",))
    yield Case("a stapled status is offered", OK, words=("-status",))
    yield Case("HTTP/2 is offered", OK, words=("-alpn", "h2"))
    yield Case("records of 512 bytes", OK, words=("-max_send_frag", "512"))
    yield Case("encrypt-then-MAC is off", OK, words=("-no_etm",))
    yield Case("renegotiation before the answer", ETLS, then="renegotiate", words=("-tls1_2",),
               reaches=True)
    yield Case("a session is resumed", OK, words=("-tls1_2",), questions=2, shows="Reused session-id",
               response=server.answer(more=close))
    yield Case("a session of 1.3 is resumed", OK, questions=2,
               response=server.answer(more=close))
    yield Case("resumption where the server forgot", OK, questions=2, second=Case("", OK),
               response=server.answer(more=close))
    yield Case("resumption, then another name", ECERT, questions=2, second=other,
               response=server.answer(more=close))
    yield Case("resumption, then another authority", ECERT, questions=2, second=unknown,
               response=server.answer(more=close))


def nginx():
    """Another server's mind."""
    yield Case("nginx", OK, nginx="")
    yield Case("nginx, two questions", OK, nginx="", questions=2, shows="POST /v1/chat/completions")
    yield Case("nginx, wrong name", ECERT, lambda mint: mint.leaf("DNS:other.test"), nginx="")
    yield Case("nginx, expired", ECERT, lambda mint: mint.leaf(days=(-9, -1)), nginx="")
    yield Case("nginx, unknown root", ECERT,
               lambda mint: mint.leaf(issuer=mint.authority("another root")), nginx="")
    yield Case("nginx, an intermediate", OK,
               lambda mint: mint.leaf(issuer=mint.intermediate("middle")), nginx="")
    yield Case("nginx, TLS 1.2 only", OK, nginx="ssl_protocols TLSv1.2;")
    yield Case("nginx, TLS 1.3 only", (ETLS, OK), nginx="ssl_protocols TLSv1.3;", says="1.3")
    yield Case("nginx, TLS 1.0 and 1.1", ETLS,
               nginx="ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;")
    yield Case("nginx, CBC", ETLS,
               nginx="ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-SHA256;")
    yield Case("nginx, the name is refused", ETLS, nginx="ssl_reject_handshake on;",
               says="host name")
    yield Case("nginx, no session cache, no tickets", OK, questions=2,
               nginx="ssl_session_cache off; ssl_session_tickets off; keepalive_requests 1;")
    yield Case("nginx, a request a connection", OK, questions=2, nginx="keepalive_requests 1;")


def truncations():
    """What came is right, and from the right peer; but not all of it came."""
    for framing in "length", "chunked", "end":
        yield Case(f"cut, {framing}", ETRUNCATED, response=server.answer(framing, missing=LOST),
                   truncates=True, reaches=True)
        yield Case(f"whole and cut, {framing}", OK, response=server.answer(framing), truncates=True)
    only_begun = server.answer("end", server.ANSWER_EVENTS)
    yield Case("an unfinished stream, no close_notify", ETRUNCATED, response=only_begun,
               truncates=True, reaches=True)
    yield Case("an unfinished stream, close_notify", ETRUNCATED, response=only_begun, then="close",
               reaches=True)
    yield Case("a short body, close_notify", ETRUNCATED, then="close", reaches=True,
               response=server.answer("length", missing=LOST))
    yield Case("a whole stream, close_notify", OK, response=server.answer("end"), then="close")
    for place, offset in [("ServerHello", 40), ("certificate", 400), ("last message", 800)]:
        yield Case(f"FIN inside of the {place}", ERESET, spoil=cut(offset, "fin"))
        yield Case(f"RST inside of the {place}", ERESET, spoil=cut(offset, "reset"))
        yield Case(f"silence inside of the {place}", ETIMEDOUT, spoil=cut(offset, "stall"))
    yield Case("silence from the beginning", ETIMEDOUT, script=says())
    yield Case("a byte now and then", ETIMEDOUT, script=drips)
    yield Case("FIN at once", ERESET, script=lambda peer: None)
    yield Case("FIN after the ClientHello", ERESET, script=says(wait=False))
    yield Case("RST after the ClientHello", ERESET, script=resets)


def spoiled():
    """Bytes changed, added or sent by somebody who does not speak TLS."""
    for offset in 0, 1, 5, 9, 20, 60, 100, 200, 300, 400, 500, 600, 700, 760:
        yield Case(f"byte {offset} changed", frozenset([ETLS, ECERT, ETIMEDOUT, ERESET]),
                   spoil=flip(offset))
    http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    empty = {kind: record(kind) * 10000 for kind in (20, 21, 22, 23)}
    yield Case("plain HTTP", ETLS, script=says(http), says="plain HTTP")
    yield Case("plain HTTP, unasked", ETLS, host="127.0.0.1", script=at_once(http))
    yield Case("an HTML page", ETLS, script=says(b"<html>Sign in</html>"), says="plain HTTP")
    yield Case("SMTP", ETLS, host="127.0.0.1", script=at_once(b"220 mail.test ESMTP\r\n"))
    yield Case("SSH", ETLS, host="127.0.0.1", script=at_once(b"SSH-2.0-OpenSSH_9.2\r\n"))
    yield Case("zeros", ETLS, script=says(b"\0" * 1000))
    yield Case("ones", ETLS, script=says(b"\xff" * 1000))
    yield Case("a megabyte of a letter", ETLS, script=says(b"x" * (1 << 20)))
    yield Case("an echo", ETLS, script=lambda peer: (peer.send(peer.recv()), peer.drain()))
    yield Case("HTTP before the handshake", ETLS, spoil=before(http))
    yield Case("application data before the handshake", ETLS, spoil=before(record(23, http)))
    yield Case("an unknown record before the handshake", ETLS, spoil=before(record(99, b"x")))
    yield Case("alert: handshake failure", ETLS, script=says(record(21, b"\2\x28")), says="alert 40")
    yield Case("alert: unknown name", ETLS, script=says(record(21, b"\2\x70")), says="host name")
    yield Case("alert: internal error", ETLS, script=says(record(21, b"\2\x50")), says="alert 80")
    yield Case("alert: close", frozenset([ETLS, ERESET]), script=says(record(21, b"\1\0")))
    yield Case("alert: a warning, then silence", ETIMEDOUT, script=says(record(21, b"\1\x5a")))
    yield Case("10,000 warnings", frozenset([ETLS, ETIMEDOUT]),
               script=says(record(21, b"\1\x5a") * 10000))
    yield Case("half an alert", ETLS, script=says(record(21, b"\2")))
    for kind, flood in empty.items():
        yield Case(f"10,000 empty records of type {kind}", ETLS, script=says(flood))
    yield Case("10,000 changes of cipher", (ETLS, ETIMEDOUT), script=says(record(20, b"\1") * 10000))
    yield Case("10,000 hello requests", frozenset([ETLS, ETIMEDOUT]),
               script=says(record(22, b"\0\0\0\0") * 10000))
    yield Case("a record of 18,433 bytes", ETLS, script=says(record(22, b"x" * 18433)))
    yield Case("a record of 65,535 bytes", ETLS, script=says(record(22, b"\2", length=65535)))
    yield Case("a message of 16 MiB", ETLS, script=says(
        record(22, b"\2\xff\xff\xff" + b"x" * 16000), record(22, b"x" * 16000) * 4))
    yield Case("a record of SSL 2", ETLS, script=says(b"\x80\x2e\4\0\1\0\2" + b"x" * 40))
    yield Case("a record of DTLS", ETLS, script=says(record(22, b"\2\0\0\0", b"\xfe\xfd")))
    yield Case("two ServerHellos", ETLS, script=says(hello(), hello()))
    yield Case("a ServerHello, then HTTP", ETLS, script=says(hello(), http))
    yield Case("bytes one by one", OK, spoil=one_by_one(0.00002))


CASES = [*versions_and_suites(), *options(), *nginx(), *truncations(), *spoiled()]
