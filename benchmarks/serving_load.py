"""Closed loop of clients on the engine, and on the engines of others.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/serving_load.py --rounds 3
      npm install --ignore-scripts node-llama-cpp
      python benchmarks/serving_load.py --sides engine,llama --node . --gguf gpt2.gguf
      python benchmarks/serving_load.py --sides engine,http --folder gpt2

Each client asks, reads all of the answer and asks again; there are 1, 2, 4, 8 and 16 of
them. All sides have the 124M shape of GPT-2 in float32 with random weights, and get the
same prompts, of 16 to 256 random tokens, and write 64 to 128. `http` is the engine in
a process of `keras-genai serve`, asked for streams by clients in this one; there is no
HTTP on the other sides. `transformers` is its continuous batching, `llama` llama.cpp,
as node-llama-cpp brings it; it needs the folder that has `node_modules` and a file of
such a model, as `keras-genai export --format gguf` writes it; `http` a folder of one,
with a tokenizer.

Printed for each number of clients: tokens a second; milliseconds to the first token,
median and 99th percentile; between two tokens, 99th percentile.
"""

import argparse
import atexit
import json
import pathlib
import queue
import statistics
import subprocess
import sys
import threading
import time

import alternate

SHAPES = {
    "124m": dict(
        vocabulary_size=50257, context=1024, depth=12, width=768, num_heads=12
    ),
    "tiny": dict(vocabulary_size=997, context=512, depth=2, width=32, num_heads=2),
}
PROMPTS, TOKENS = (16, 256), (64, 128)
CLIENTS = (1, 2, 4, 8, 16)
PAGE = 256  # tokens of transformers' pages
NODE = pathlib.Path(__file__).parent / "llama_load.mjs"


def requests(options, number):
    """list of `(prompt, tokens)` that one client asks for in a round."""
    import numpy as np

    random = np.random.default_rng(number)
    size = SHAPES[options.shape]["vocabulary_size"]
    return [
        (
            random.integers(0, size, random.integers(*PROMPTS)).tolist(),
            int(random.integers(*TOKENS)) // options.shorter,
        )
        for _ in range(options.requests)
    ]


def loads(options, ask):
    """Runs all numbers of clients.

    Args:
        options: of the command line.
        ask: function of a prompt and a number of tokens that yields how many came.

    Returns:
        dict of `clients`: str of a number to dict of figures.
    """
    return {"clients": {str(n): load(options, ask, n) for n in options.clients}}


def load(options, ask, count):
    """What so many clients at once see, dict of figures."""
    firsts, gaps, failures = [], [], []
    written = 0
    lock = threading.Lock()

    def client(number):
        nonlocal written
        for prompt, tokens in requests(options, number):
            asked = last = time.perf_counter()
            first = None
            for came in ask(prompt, tokens):
                now = time.perf_counter()
                with lock:
                    written += came
                    if first is None:
                        first = now
                        firsts.append(now - asked)
                    else:
                        gaps.extend([(now - last) / came] * came)
                last = now
            if first is None:
                failures.append(number)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(count)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    return {
        "tokens_per_second": written / seconds,
        "first_p50_ms": 1e3 * percentile(firsts, 50),
        "first_p99_ms": 1e3 * percentile(firsts, 99),
        "gap_p99_ms": 1e3 * percentile(gaps, 99),
        "failures": len(failures),
    }


def percentile(values, rank):
    """The smallest value that so many percent do not exceed; NaN of nothing."""
    values = sorted(values)
    if not values:
        return float("nan")
    return values[min(len(values) - 1, len(values) * rank // 100)]


def engine(options):
    """Ours."""
    import tensorflow as tf

    from keras_genai.layers.quantized import quantize
    from keras_genai.networks.gpt import GPT
    from keras_genai.serving import Engine, TextRequest
    from keras_genai.tasks.language import CausalLM

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    model = CausalLM(GPT(**SHAPES[options.shape]))
    if options.weights == "int8":
        quantize(model)
    rows, length = max(options.clients), sum(PROMPTS[1:] + TOKENS[1:])
    server = Engine(model, rows=rows, length=length)
    server.warm_up(everything=True)

    def ask(prompt, tokens):
        for piece in server.submit(TextRequest(prompt, max_tokens=tokens, seed=0)):
            yield len(piece.tokens)

    return lambda: loads(options, ask)


def http(options):
    """Ours, behind HTTP."""
    import httpx

    if not options.folder:
        raise ValueError("`--folder` must be given for the side `http`")
    rows, length = max(options.clients), sum(PROMPTS[1:] + TOKENS[1:])
    command = [sys.executable, "-m", "zoo", "serve", options.folder, "--port", "0"]
    command += ["--rows", str(rows), "--context", str(length)]
    if options.weights != "float32":
        command.append(f"--{options.weights}")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    atexit.register(process.terminate)
    said = iter(process.stdout.readline, "")
    address = next(line.strip() for line in said if line.startswith("http"))
    if not any(line.strip() == "ready" for line in said):
        raise RuntimeError("the server did not start; what it said is above")
    client = httpx.Client(base_url=address, timeout=600)
    model = client.get("/v1/models").json()["data"][0]["id"]

    def ask(prompt, tokens):
        body = {"model": model, "prompt": prompt, "max_tokens": tokens, "seed": 0}
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        seen = 0
        with client.stream("POST", "/v1/completions", json=body) as answer:
            for line in answer.iter_lines():
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line.removeprefix("data: "))
                if usage := event.get("usage"):
                    yield max(1, usage["completion_tokens"] - seen)
                elif event["choices"][0]["text"]:
                    seen += 1
                    yield 1

    list(ask([1, 2, 3], 4))
    return lambda: loads(options, ask)


def transformers(options):
    """Its continuous batching, which `transformers serve` can be told to use."""
    import torch
    from transformers import (
        ContinuousBatchingConfig,
        GenerationConfig,
        GPT2Config,
        GPT2LMHeadModel,
    )

    torch.set_num_threads(options.threads)
    shape = SHAPES[options.shape]
    config = GPT2Config(
        vocab_size=shape["vocabulary_size"],
        n_positions=shape["context"],
        n_layer=shape["depth"],
        n_embd=shape["width"],
        n_head=shape["num_heads"],
        bos_token_id=None,
        eos_token_id=None,
    )
    model = GPT2LMHeadModel(config).eval()
    settings = GenerationConfig(do_sample=True, eos_token_id=-1, pad_token_id=0)
    # By itself it takes nine tenths of the memory that is free.
    pages = 1 + sum(PROMPTS[1:] + TOKENS[1:]) // PAGE
    blocks = 2 * max(options.clients) * pages
    manager = model.init_continuous_batching(
        settings, ContinuousBatchingConfig(page_size=PAGE, num_blocks=blocks)
    )
    manager.start()
    queues = {}

    def deliver():
        while True:
            result = manager.get_result(timeout=1)
            if result is not None:
                queues[result.request_id].put(result)

    threading.Thread(target=deliver, daemon=True).start()
    names = iter(range(10**9))

    def ask(prompt, tokens):
        name = f"request {next(names)}"
        queues[name] = queue.SimpleQueue()
        manager.add_request(prompt, name, max_new_tokens=tokens, streaming=True)
        seen = 0
        while True:
            result = queues[name].get()
            new = len(result.generated_tokens) - seen
            if new:
                seen += new
                yield new
            if result.is_finished():
                del queues[name]
                return

    list(ask([1, 2, 3], 4))
    return lambda: loads(options, ask)


def llama(options):
    """llama.cpp, in a process of Node."""
    if not (options.node and options.gguf):
        raise ValueError("`--node` and `--gguf` must be given for the side `llama`")
    module = pathlib.Path(options.node, "node_modules/node-llama-cpp/dist/index.js")
    command = ["node", str(NODE), str(module.resolve()), options.gguf]
    command += [str(options.threads), str(max(options.clients))]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    queues, names, lock = {}, iter(range(10**9)), threading.Lock()
    if process.stdout.readline().strip() != "ready":
        raise RuntimeError("llama.cpp did not start; what it said is above")

    def deliver():
        for line in process.stdout:
            said = json.loads(line)
            queues[said["name"]].put(said["came"])

    threading.Thread(target=deliver, daemon=True).start()

    def ask(prompt, tokens):
        with lock:
            name = next(names)
            queues[name] = queue.SimpleQueue()
            asked = {"name": name, "prompt": prompt, "tokens": tokens}
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
        while came := queues[name].get():
            yield came
        del queues[name]

    return lambda: loads(options, ask)


def print_loads(results):
    """Medians over the rounds of each side, for each number of clients."""
    options = results.pop("options")
    names = ("tokens_per_second", "first_p50_ms", "first_p99_ms", "gap_p99_ms")
    print(f"{'clients':>7} {'side':>13}", *(f"{name:>17}" for name in names))
    best = {}
    for count in map(str, options["clients"]):
        for side, answers in results.items():
            rounds = [answer["clients"][count] for answer in answers]
            medians = [statistics.median(r[name] for r in rounds) for name in names]
            best[side, count] = medians[0]
            cells = [f"{value:17.1f}" for value in medians]
            lost = sum(r["failures"] for r in rounds)
            print(f"{count:>7} {side:>13}", *cells, f"{lost} failed" if lost else "")
    if "engine" in results and {1, 8} <= set(options["clients"]):
        own = best["engine", "8"] / best["engine", "1"]
        print(f"8 clients / 1 client: {own:.2f} (target >= 4)")
        if "http" in results:
            share = best["http", "8"] / best["engine", "8"]
            print(f"http / engine at 8 clients: {share:.2f} (target >= 0.85)")
        for side, goal in (("transformers", 5), ("llama", 1.5)):
            if side in results:
                ratio = best["engine", "8"] / best[side, "8"]
                print(f"engine / {side} at 8 clients: {ratio:.2f} (target >= {goal})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.set_defaults(rounds=3, steps=1)
    parser.add_argument("--shape", choices=SHAPES, default="124m")
    parser.add_argument(
        "--clients",
        type=lambda text: tuple(map(int, text.split(","))),
        default=CLIENTS,
        help="numbers of clients, comma-separated",
    )
    parser.add_argument("--requests", type=int, default=2, help="of each client")
    parser.add_argument("--shorter", type=int, default=1, help="divides all answers")
    parser.add_argument(
        "--weights", choices=("float32", "int8"), default="float32", help="of ours"
    )
    parser.add_argument("--node", help="folder with node_modules of node-llama-cpp")
    parser.add_argument("--gguf", help="file of a model of that shape")
    parser.add_argument("--folder", help="of a model of that shape and its tokenizer")
    found = alternate.main(
        {"engine": engine, "http": http, "transformers": transformers, "llama": llama},
        parser,
        "round",
    )
    if found:
        print_loads(found)
