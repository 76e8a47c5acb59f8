"""The page: small, from this server alone; and in a browser, where there is one."""

import os
import pathlib
import re
import shutil

import numpy as np
import pytest
import toy_server as toy

from keras_genai.modalities.image import Image
from keras_genai.modalities.speech import Speech
from keras_genai.modalities.text import Label
from keras_genai.serving.served import Served

FOLDER = pathlib.Path(toy.Served.__init__.__code__.co_filename).parent / "page"
FILES = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
MOST_BYTES = 25_000
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# A file of axe-core, https://github.com/dequelabs/axe-core, for the last test.
AXE = os.environ.get("AXE_CORE")


def test_the_page_is_small_and_loads_nothing_from_elsewhere():
    assert {*FILES} == {"index.html", "page.css", "page.js"}
    assert sum(len(text.encode()) for text in FILES.values()) < MOST_BYTES
    for text in FILES.values():
        assert not re.findall(
            r"(https?:)?//[a-z]", re.sub(r"^\s*//.*", "", text, flags=re.M)
        )


def test_what_people_and_models_say_is_never_markup():
    script = FILES["page.js"]
    for danger in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ):
        assert danger not in script
    assert not re.findall(r"\son\w+=|style=|<script>", FILES["index.html"])


def test_the_page_knows_the_elements_that_it_asks_for():
    asked = {*re.findall(r'(?:\$|number)\("([\w-]+)"\)', FILES["page.js"])}
    known = {*re.findall(r'id="([\w-]+)"', FILES["index.html"])}
    assert len(asked) > 20
    assert asked <= known


class Painter:
    """Draws what its seed and class say."""

    name = "painter"
    makes = target = Image((8, 8, 1))
    given = (Label(3, ("cat", "dog", "owl")),)
    tokenizer = None

    def generate(self, count=16, seed=0, steps=3, guidance=1.0, labels=0):
        toy.time.sleep(0.05)
        return np.random.default_rng(seed).random((count, 8, 8, 1), "float32")


class Speaker:
    """Says everything with one tone."""

    name = "speaker"
    makes = target = Speech(rate=8_000, window=256, hop=64, bands=8)
    given = (toy.Text(toy.TOKENIZER, length=40),)
    tokenizer = toy.TOKENIZER

    def speak(self, prompts, speakers=None, speed=1.0, seed=0):
        return [0.3 * np.sin(np.arange(4_000) / 5).astype("float32")]


@pytest.fixture(scope="module")
def writer():
    return toy.served(pace=0.02)


@pytest.fixture(scope="module")
def address(writer):
    others = Served("painter", Painter()), Served("speaker", Speaker())
    with toy.running(toy.app_of(writer, *others)) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield found
        found.close()


@pytest.fixture
def page(browser, address):
    context = browser.new_context()
    context.set_default_timeout(15_000)
    found = context.new_page()
    wrong = []
    found.on("pageerror", lambda error: wrong.append(error))
    found.on(
        "console",
        lambda line: wrong.append(line.text) if "Security" in line.text else None,
    )
    found.goto(address)
    found.wait_for_selector("#model option", state="attached")
    yield found
    context.close()
    assert not wrong


def say(page, text):
    page.fill("#text", text)
    page.click("#send")


def until(page, expression):
    """Waits; the page itself evaluates no strings, which its policy forbids."""
    for _ in range(500):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(expression)


def done(page):
    page.wait_for_selector("#send:not([disabled])")


@pytest.mark.slow
def test_a_conversation_in_a_browser(page, writer):
    page.fill("#seed", "3")
    page.fill("#max_tokens", "10")
    page.fill("#system", "Be <b>kind</b>.")
    say(page, "<img src=x onerror=alert(1)>")
    done(page)
    texts = page.locator("#messages p").all_text_contents()
    assert texts == ["<img src=x onerror=alert(1)>", toy.text_of(3, 10)]
    assert "Be <b>kind</b>." in writer.engine.requests[-1].prompt
    assert page.locator("#messages img").count() == 0
    page.click("#again")
    done(page)
    assert len(page.locator("#messages p").all()) == 2
    page.reload()  # what was said is kept
    page.wait_for_selector("#messages p")
    assert page.locator("#messages p").all_text_contents() == texts
    assert page.input_value("#system") == "Be <b>kind</b>."
    page.locator("#messages button", has_text="Edit").click()
    assert page.input_value("#text") == texts[0]
    assert page.locator("#messages p").count() == 0
    page.click("#new")
    say(page, "another")
    done(page)
    assert page.locator("#chats li").count() == 2
    with page.expect_download() as download:
        page.click("#export")
    assert "another" in pathlib.Path(download.value.path()).read_text("utf-8")
    page.locator("#chats li").first.get_by_label("Delete").click()
    assert page.locator("#chats li").count() == 1


@pytest.mark.slow
def test_a_text_comes_piece_by_piece_and_can_be_stopped(page, writer):
    page.fill("#max_tokens", "90")
    say(page, "hi")
    until(page, "document.querySelectorAll('#messages p')[1]?.textContent.length > 3")
    assert page.is_disabled("#send")
    page.click("#stop")
    done(page)
    answer = writer.engine.answers[-1]
    toy.wait_for(lambda: answer.done)
    assert answer.finish_reason == "cancelled"
    text = page.locator("#messages p").nth(1).text_content()
    assert 3 < len(text) < 90


@pytest.mark.slow
def test_errors_are_said_in_words(page, writer):
    page.fill("#max_tokens", "9999")
    say(page, "hi")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "max_tokens" in page.text_content("#trouble")
    done(page)
    page.fill("#max_tokens", "3")
    writer.engine.busy = True
    say(page, "hi")
    page.wait_for_selector("#trouble:has-text('Try again in 7 s')")
    writer.engine.busy = False
    done(page)
    page.context.set_offline(True)
    say(page, "hi")
    page.wait_for_selector("#trouble:has-text('does not answer')")
    page.context.set_offline(False)


@pytest.mark.slow
def test_pictures_are_drawn_a_few_at_a_time_and_saved(page):
    page.select_option("#model", "painter")
    assert page.is_hidden("#messages")
    page.fill("#count", "6")
    page.select_option("#class", "owl")
    page.click("#send")
    page.wait_for_selector("#gallery > div:nth-child(6)")
    done(page)
    assert page.locator("#gallery img").count() == 6
    assert "owl" in page.locator("#gallery figcaption").first.text_content()
    widths = page.eval_on_selector_all(
        "#gallery img", "all => all.map(i => i.naturalWidth)"
    )
    assert widths == [8] * 6
    with page.expect_download() as download:
        page.locator("#gallery a").first.click()
    content = pathlib.Path(download.value.path()).read_bytes()
    assert content.startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_sound_is_played(page):
    page.select_option("#model", "speaker")
    say(page, "hello")
    until(page, "document.querySelector('audio')?.duration === 0.5")


@pytest.mark.slow
def test_a_key_is_asked_for_and_not_kept(browser, writer):
    with toy.running(toy.app_of(writer, keys=["a-long-key"])) as server:
        context = browser.new_context()
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("#trouble:has-text('API key')")
        page.fill("#key", "a-long-key")
        page.press("#key", "Tab")
        page.wait_for_selector("#model option", state="attached")
        page.fill("#max_tokens", "3")
        say(page, "hi")
        done(page)
        kept = page.evaluate("JSON.stringify(localStorage)")
        context.close()
    assert "a-long-key" not in kept


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("model", ["toy", "painter", "speaker"])
def test_nothing_is_in_the_way_of_anybody(page, model, dark):
    if AXE is None:
        pytest.skip("AXE_CORE names no file of axe-core")
    page.select_option("#model", model)
    page.fill("#max_tokens", "3") if model == "toy" else None
    page.fill("#text", "hi") if model != "painter" else None
    page.click("#send")
    done(page)
    if dark != page.evaluate("document.documentElement.classList.contains('dark')"):
        page.click("#theme")
    page.evaluate(pathlib.Path(AXE).read_text("utf-8"))
    found = page.evaluate("axe.run().then(found => found.violations)")
    assert not [(each["id"], [n["html"] for n in each["nodes"]]) for each in found]
