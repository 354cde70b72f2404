"""LiteLLM's proxy on a port that the system chose.

Takes its configuration; the base URL is the first line of standard output. Ends when standard input
does, so that it never outlives the test that started it.
"""
import os
import socket
import sys
import threading

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the internet for prices
os.environ["CONFIG_FILE_PATH"] = sys.argv[1]

import uvicorn  # noqa: E402
from litellm.proxy.proxy_server import app  # noqa: E402


def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))

    def end_with_input():
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=end_with_input, daemon=True).start()
    # Whoever connects from here on waits in the queue until it serves.
    listener.listen(128)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server.run(sockets=[listener])


main()
