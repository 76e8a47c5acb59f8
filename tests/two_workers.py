"""Programs that one process runs, or two as one cluster, on this machine."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
SECONDS = 900


def run_one(file, *arguments):
    """Runs a test file as a program."""
    _finish([_started(file, arguments)])


def run_two(file, *arguments):
    """Runs a test file as two workers; each is told by `TF_CONFIG` which one it is.

    Args:
        file: path of the test file.
        *arguments: functions of a worker's number that return an argument.
    """
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    workers = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        given = [each(index) for each in arguments]
        workers.append(_started(file, given, TF_CONFIG=config))
    _finish(workers)


def free_ports(count):
    """list of int: ports of this machine that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _started(file, arguments, **environment):
    shared = [ROOT, ROOT / "tests", pathlib.Path(file).parent]
    paths = [*map(str, shared), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, file, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(processes):
    try:
        for process in processes:
            _, said = process.communicate(timeout=SECONDS)
            assert not process.returncode, said[-3000:]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
