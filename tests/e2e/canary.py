"""Secrets planted wherever one can be, a provider and a token server that say back all they hear,
and no trace of a secret in anything that comes out: streams, results, errors, spans, summary, side
files."""
import http.server
import json
import os
import threading
import urllib.parse

import harness

# Characters that each encoding spells in its own way.
SECRETS = {
    "client": "canary-client/5f0c+2ad97be14d31==",
    "token": "canary-token-77aa01/b2c3d4e5f6+x",
    "key": "canary-key/99ee02+c3d4e5f6a7b8",
    "session": "canary-session/11bb03+d4e5f6a7b8c9",
}


def forms(secret):
    raw = secret.encode()
    yield raw
    yield urllib.parse.quote(secret, safe="").encode()
    yield urllib.parse.quote(secret, safe="").lower().encode()
    yield raw.replace(b"/", b"\\/")
    yield raw.replace(b"/", b"\\\\/")
    yield from harness.base64_forms(raw)
    yield from harness.base64_forms(urllib.parse.quote(secret, safe="").encode())


for planted in SECRETS.values():
    harness.FORBIDDEN.extend(forms(planted))


class Parrot(http.server.BaseHTTPRequestHandler):
    """Gives tokens below /token and /keys while it is told to; refuses all else in many ways, and
    quotes what it was sent in each."""
    protocol_version = "HTTP/1.1"
    heard = []
    locks_out = False  # the refusals are of the credential, which ends a run

    def log_message(self, *_):
        pass

    def answer(self, status, body, content="application/json"):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.speak("")

    def do_POST(self):
        self.speak(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def speak(self, body):
        self.heard.append(self.path)
        said = " ".join([*self.headers.values(), body])
        if self.path.startswith("/refused"):
            self.answer(401, json.dumps({"error": "invalid_client", "error_description": said}))
        elif self.path.startswith("/token"):
            self.answer(200, json.dumps({"access_token": SECRETS["token"], "expires_in": 3600}))
        elif self.path.startswith("/keys"):
            self.answer(200, json.dumps({
                "AccessKeyId": "AKID", "SecretAccessKey": SECRETS["key"],
                "Token": SECRETS["session"], "Expiration": "2999-01-01T00:00:00Z"}))
        else:
            if "/keys" in self.heard:  # which are never sent, but known to who gave them
                said += f" {SECRETS['key']} {SECRETS['session']}"
            self.refuse(said)

    def refuse(self, said):
        """A way for each call, in turn."""
        ways = [
            lambda: self.answer(400, json.dumps({"error": {"message": said, "code": said}})),
            lambda: self.answer(400, json.dumps({"message": json.dumps(said)})),
            lambda: self.answer(422, said, "text/plain"),
            lambda: self.answer(400, urllib.parse.quote(said, safe=""), "text/plain"),
            lambda: self.answer(404, said.replace("/", "\\/"), "text/plain"),
            lambda: self.answer(400, f"<html><pre>{said}</pre></html>", "text/html"),
            lambda: self.answer(400, json.dumps({"error_code": said, "message": said})),
            lambda: self.answer(200, "data: " + json.dumps({"error": {"message": said}}) + "\n\n",
                                "text/event-stream"),
            lambda: self.answer(200, json.dumps({"error": {"message": said}})),
        ]
        locked = [
            lambda: self.answer(401, json.dumps({"error_code": said, "message": said})),
            lambda: self.answer(403, f"<html><pre>{said}</pre></html>", "text/html"),
        ]
        ways = locked if self.locks_out else ways
        ways[len(self.heard) % len(ways)]()


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # the client may leave at any moment


class Canary(harness.Scenario):
    def setUp(self):
        super().setUp()
        Parrot.heard.clear()
        self.server = Server(("127.0.0.1", 0), Parrot)
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.environment.update(CLIENT_SECRET=SECRETS["client"], TOKEN=SECRETS["token"],
                                KEY=SECRETS["key"])

    def run_all(self, provider, paths=("/",)):
        """Every command that speaks to a provider, everything kept; then the folder is searched."""
        self.configure(providers={"default": {"base_url": self.url, **provider}})
        harness.write_lines(self.path("in.jsonl"), harness.questions(12))
        self.run_moot("check", "-c", "agent.json")
        for number, extra in enumerate([[], ["--stream", "--progress", "json"], []]):
            Parrot.locks_out = number == 2
            ended = self.run_moot("batch", "-c", "agent.json", "in.jsonl", "-o",
                                  f"out{number}.jsonl", "--trace", f"trace{number}.jsonl", *extra)
            self.assertIn(ended.code, (1, 2), ended.err)
            self.run_moot("ask", "-c", "agent.json", "Why?")
        if "/refused" not in paths and paths:
            self.assertEqual(len(harness.lines_of(self.path("out0.errors.jsonl"))), 12)
        for path in paths:
            self.assertTrue(any(heard.startswith(path) for heard in Parrot.heard), path)

    def test_a_key(self):
        self.run_all({"type": "openai", "api_key": "env:KEY"})

    def test_a_process(self):
        self.run_all({"type": "openai", "api_key": "exec:printenv TOKEN"})

    def test_a_process_that_fails(self):
        self.run_all({"type": "openai",
                      "api_key": "exec:sh -c 'echo $TOKEN; echo $TOKEN >&2; exit 1'"}, [])

    def test_a_client(self):
        self.run_all({"type": "openai", "auth": {
            "type": "oauth_m2m", "token_url": self.url + "/token", "client_id": "me",
            "client_secret": "env:CLIENT_SECRET"}}, ["/token", "/chat"])

    def test_a_client_that_is_refused(self):
        self.run_all({"type": "openai", "auth": {
            "type": "oauth_m2m", "token_url": self.url + "/refused", "client_id": "me",
            "client_secret": "env:CLIENT_SECRET"}}, ["/refused"])

    def test_an_application_that_is_refused(self):
        self.run_all({"type": "azure", "auth": {
            "type": "entra", "authority": self.url + "/refused", "tenant_id": "ten",
            "client_id": "me", "client_secret": "env:CLIENT_SECRET"}}, ["/refused"])

    def test_keys_of_a_container(self):
        self.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = self.url + "/keys"
        self.run_all({"type": "bedrock", "auth": {"type": "aws", "region": "us-east-2"}},
                     ["/keys", "/model"])


if __name__ == "__main__":
    harness.main()
