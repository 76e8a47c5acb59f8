"""Streams over sockets: who leaves is forgotten, who waits hears something."""

import json
import socket
import threading
import time

import pytest
import toy_server as toy

from keras_genai.serving.line import Line
from keras_genai.serving.server import serve

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def served():
    return toy.served(pace=0.01)


@pytest.fixture(scope="module")
def server(served):
    with toy.running(toy.app_of(served, ping=0.05)) as found:
        yield found


def test_text_comes_while_it_is_written(server):
    body = toy.chat(stream=True, max_tokens=20)
    came = []
    with toy.HTTP.stream("POST", server.url + CHAT, json=body) as response:
        for line in response.iter_lines():
            if line:
                came.append(time.monotonic())
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["cache-control"] == "no-cache"
    assert came[-1] - came[0] > 0.1


def test_who_leaves_a_stream_is_written_for_no_longer(server, served):
    body = toy.chat(stream=True, max_tokens=100, n=2)
    with toy.HTTP.stream("POST", server.url + CHAT, json=body) as response:
        next(response.iter_lines())
    answers = served.engine.answers[-2:]
    toy.wait_for(lambda: all(answer.done for answer in answers), 0.5)
    assert {answer.finish_reason for answer in answers} == {"cancelled"}


def test_who_leaves_before_an_answer_is_written_for_no_longer(server, served):
    before = len(served.engine.answers)
    content = json.dumps(toy.chat(max_tokens=100)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: localhost\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + content)
        toy.wait_for(lambda: len(served.engine.answers) > before)
    answer = served.engine.answers[-1]
    toy.wait_for(lambda: answer.done, 0.5)
    assert answer.finish_reason == "cancelled"


def test_nobody_is_left_after_many_have_left(server, served):
    def leave():
        body = toy.chat(stream=True, max_tokens=100)
        with toy.HTTP.stream("POST", server.url + CHAT, json=body) as response:
            next(response.iter_lines())

    threads = [threading.Thread(target=leave) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    toy.wait_for(lambda: served.engine.figures()["running"] == 0, 1.0)
    assert toy.HTTP.get(server.url + "/health").status_code == 200


def test_a_silent_stream_shows_that_it_lives():
    with toy.running(toy.app_of(toy.served(pace=0.2), ping=0.05)) as server:
        body = toy.chat(stream=True, max_tokens=2)
        response = toy.HTTP.post(server.url + CHAT, json=body)
        assert ": ping" in response.text.split("\n\n")
        assert response.text.endswith("data: [DONE]\n\n")


def test_an_error_amid_a_stream_is_its_last_event():
    with toy.running(toy.app_of(toy.served(breaks=2))) as server:
        response = toy.HTTP.post(server.url + CHAT, json=toy.chat(stream=True))
    *_, last, empty = response.text.split("\n\n")
    assert not empty
    error = json.loads(last.removeprefix("data: "))["error"]
    assert error["type"] == "server_error"


def test_a_server_that_ends_does_not_wait_for_streams():
    served = toy.served(pace=0.02)
    began = threading.Event()

    def listen(url):
        body = toy.chat(stream=True, max_tokens=100)
        with toy.HTTP.stream("POST", url + CHAT, json=body) as response:
            for line in response.iter_lines():
                began.set()
                lines.append(line)

    lines = []
    with toy.running(toy.app_of(served)) as server:
        thread = threading.Thread(target=listen, args=(server.url,))
        thread.start()
        assert began.wait(5)
        served.close()  # as a signal does
        start = time.monotonic()
    assert time.monotonic() - start < 2
    thread.join(2)
    assert "error" in lines[-2]


def test_a_call_that_nobody_waits_for_is_not_made():
    import asyncio

    line, made, go = Line(queue=1), [], threading.Event()

    async def work():
        first = asyncio.create_task(line.call(lambda: go.wait(5)))
        while not line.figures()["running"]:
            await asyncio.sleep(0.001)
        second = asyncio.create_task(line.call(lambda: made.append(2)))
        await asyncio.sleep(0.01)
        with pytest.raises(toy.BusyError) as busy:
            await line.call(lambda: made.append(3))
        assert busy.value.retry_after >= 1
        second.cancel()
        await asyncio.sleep(0.01)
        go.set()
        assert await first
        await line.call(lambda: made.append(4))

    asyncio.run(work())
    assert made == [4]
    toy.wait_for(lambda: line.figures() == {"running": 0, "waiting": 0})
    assert line.alive()
    line.close()
    assert not line.alive()


def test_no_more_calls_wait_than_may_however_fast_they_come():
    import asyncio

    line, go = Line(queue=2), threading.Event()

    async def work():
        asyncio.get_running_loop().call_later(0.1, go.set)
        calls = [line.call(lambda: go.wait(5)) for _ in range(10)]
        return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(work())
    assert found[:3] == [True] * 3  # one is made, two wait
    assert all(isinstance(each, toy.BusyError) for each in found[3:])


def test_a_call_that_takes_too_long_is_a_line_that_is_dead():
    import asyncio

    line, go = Line(patience=0.01), threading.Event()

    async def work():
        task = asyncio.create_task(line.call(lambda: go.wait(5)))
        await asyncio.sleep(0.05)
        assert not line.alive()
        go.set()
        await task

    asyncio.run(work())
    toy.wait_for(line.alive)


def test_a_server_for_everybody_does_not_start():
    models = toy.Models([toy.served()], ready=False)
    with pytest.raises(ValueError, match="without `--api-key`"):
        serve(models, "0.0.0.0", 0)


def test_a_port_that_is_taken_is_an_error(server):
    models = toy.Models([toy.served()], ready=False)
    with pytest.raises(OSError, match="`--port` must be one that is free"):
        serve(models, "127.0.0.1", server.port)


def resident():
    """Bytes of memory of this process, those of files apart."""
    with open("/proc/self/status", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file)
    return 1024 * int(lines["RssAnon"].split()[0])


@pytest.mark.slow
def test_memory_does_not_grow_with_requests():
    served = toy.served()

    def ask(count):
        for number in range(count):
            body = toy.chat(stream=True, max_tokens=60)
            with toy.HTTP.stream("POST", server.url + CHAT, json=body) as response:
                lines = response.iter_lines()
                next(lines)
                if number % 3:  # a third of them leave
                    assert [*lines]
        toy.wait_for(lambda: served.engine.figures()["running"] == 0)
        served.engine.requests.clear()
        served.engine.answers.clear()

    with toy.running(toy.app_of(served)) as server:
        ask(300)
        before = resident()
        ask(1_000)
        assert resident() - before < 10e6
