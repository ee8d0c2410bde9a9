"""llama.cpp's own HTTP server from the wheel `xllamacpp`, under the flags of `llama-server`.

Only flags that mean something on a CPU are taken; any other is an error, as it is with the original (exit code 2).
"""

import argparse
import signal
import sys

import xllamacpp

LOOPBACK = ("127.0.0.1", "localhost")
KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")


def parse_arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="llama-server", description=__doc__, allow_abbrev=False)
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    add("--version", action="version", version=f"version: xllamacpp {xllamacpp.__version__}")
    add("-m", "--model", required=True, help="the GGUF file")
    add("-a", "--alias", help="the model's name in the API; default: the file's path")
    add("--host", default="127.0.0.1", help="the address to listen on; this build knows the loopback only")
    add("--port", type=int, default=8080)
    add("-c", "--ctx-size", type=int, default=0, help="tokens of context for all slots together; 0: as the model says")
    add("-np", "--parallel", type=int, default=1, help="slots: requests that are served at the same time")
    add("-b", "--batch-size", type=int, default=2048, help="tokens in one logical batch at most")
    add("-ub", "--ubatch-size", type=int, default=512, help="tokens in one physical batch at most")
    add("-t", "--threads", type=int, help="threads of decoding; default: all processors")
    add("-tb", "--threads-batch", type=int, help="threads of prefill; default: as --threads")
    add("--threads-http", type=int, default=-1, help="threads that answer HTTP requests")
    add("-fa", "--flash-attn", choices=("on", "off", "auto"), default="auto")
    add("-ctk", "--cache-type-k", choices=KV_TYPES, default="f16", help="number format of the keys in the KV cache")
    add("-ctv", "--cache-type-v", choices=KV_TYPES, default="f16", help="number format of the values in the KV cache")
    add("--cont-batching", action=switch, default=True, help="start new requests while others decode")
    add("--kv-unified", action=switch, default=False, help="one KV buffer that all slots share")
    add("--cache-prompt", action=switch, default=True, help="keep the KV cache of shared prompt beginnings")
    add("--cache-reuse", type=int, default=0, help="shortest piece of a prompt that is reused by shifting, in tokens")
    add("--cache-ram", type=int, default=8192, help="memory for the caches of earlier prompts, MiB")
    add("--metrics", action="store_true", help="serve /metrics")
    add("--slots", action=switch, default=True, help="serve /slots")
    arguments = parser.parse_args(words)
    if arguments.host not in LOOPBACK:
        parser.error(f"argument --host: {arguments.host}: this build listens on 127.0.0.1 only")
    return arguments


def parameters(arguments: argparse.Namespace) -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.port = arguments.port
    # Two servers on one port would share its connections without a word.
    params.reuse_port = False
    params.model_alias = {arguments.alias or arguments.model}
    params.n_ctx = arguments.ctx_size
    params.n_parallel = arguments.parallel
    params.n_batch = arguments.batch_size
    params.n_ubatch = arguments.ubatch_size
    params.n_threads_http = arguments.threads_http
    params.flash_attn_type = getattr(
        xllamacpp.llama_flash_attn_type,
        {"on": "LLAMA_FLASH_ATTN_TYPE_ENABLED", "off": "LLAMA_FLASH_ATTN_TYPE_DISABLED"}.get(
            arguments.flash_attn, "LLAMA_FLASH_ATTN_TYPE_AUTO"
        ),
    )
    params.cache_type_k = kv_type(arguments.cache_type_k)
    params.cache_type_v = kv_type(arguments.cache_type_v)
    params.cont_batching = arguments.cont_batching
    params.kv_unified = arguments.kv_unified
    params.cache_prompt = arguments.cache_prompt
    params.n_cache_reuse = arguments.cache_reuse
    params.cache_ram_mib = arguments.cache_ram
    params.endpoint_metrics = arguments.metrics
    params.endpoint_slots = arguments.slots
    if arguments.threads:
        params.cpuparams.n_threads = arguments.threads
    if arguments.threads_batch or arguments.threads:
        params.cpuparams_batch.n_threads = arguments.threads_batch or arguments.threads
    return params


def kv_type(name: str):
    """The wheel spells quantised types with a capital K and the rest in capitals."""
    wanted = f"GGML_TYPE_{name}".upper()
    return next(member for member in xllamacpp.ggml_type if member.name.upper() == wanted)


def main() -> None:
    arguments = parse_arguments(sys.argv[1:])
    server = xllamacpp.Server(parameters(arguments))
    print(f"listening on {server.listening_address}", flush=True)
    # Until here a signal ends the process as it is; now the server's destructor may close its connections.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
