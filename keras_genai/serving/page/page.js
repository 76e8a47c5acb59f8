// Talks with the server that sent this page, by the protocol that all clients speak.
const $ = (id) => document.getElementById(id);
const CHAT = "/v1/chat/completions", COMPLETE = "/v1/completions", DRAW = "/v1/images/generations", SPEAK = "/v1/audio/speech";
const KINDS = { [CHAT]: "chat", [COMPLETE]: "chat", [DRAW]: "images", [SPEAK]: "speech" };
const KEPT = "keras_genai", AT_ONCE = 4;
let models = [], model = null, work = null;
let state = { chats: [], chosen: null, settings: {}, dark: matchMedia("(prefers-color-scheme: dark)").matches };

// What is said is text, never HTML.
function make(tag, options = {}, ...children) {
  const { on, data, ...rest } = options;
  const node = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(data || {})) node.setAttribute(name, value);
  for (const [name, call] of Object.entries(on || {})) node.addEventListener(name, call);
  node.append(...children);
  return node;
}

function tell(error) {
  $("trouble").textContent = error ? error.message || String(error) : "";
  $("trouble").hidden = !error;
}

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify(state));
  } catch {
    tell("This browser keeps no more conversations: export or delete some.");
  }
}

async function call(path, body, signal) {
  const headers = {};
  const key = $("key").value.trim();
  if (key) headers.authorization = `Bearer ${key}`;
  if (body) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Does it still run?");
  }
  if (response.ok) return response;
  let said = `The server says ${response.status}.`;
  try {
    said = (await response.json()).error.message;
  } catch { /* no JSON: the status says it */ }
  const wait = response.headers.get("retry-after");
  if (response.status === 401) said = "This server wants an API key; write it into the settings.";
  throw new Error(wait ? `${said} (${response.status})` : said);
}

// The events of a stream, whose characters may be cut anywhere.
async function* events(response) {
  const decoder = new TextDecoder(), reader = response.body.getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    text += decoder.decode(value, { stream: !done });
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const line = text.slice(0, end);
      text = text.slice(end + 2);
      if (!line.startsWith("data: ")) continue;
      if (line === "data: [DONE]") return;
      const event = JSON.parse(line.slice(6));
      if (event.error) throw new Error(event.error.message);
      yield event;
    }
    if (done) throw new Error("The answer broke off.");
  }
}

const number = (id) => ($(id).value === "" ? undefined : Number($(id).value));
const chat = () => state.chats.find((each) => each.id === state.chosen);

function newChat() {
  const found = { id: crypto.randomUUID ? crypto.randomUUID() : String(Math.random()), messages: [] };
  state.chats.unshift(found);
  state.chosen = found.id;
  return found;
}

function showChats() {
  $("chats").replaceChildren(...state.chats.map((each) => {
    const title = each.messages[0]?.content.slice(0, 40) || "New conversation";
    const open = make("button", { type: "button", textContent: title, on: { click: () => { if (!work) { state.chosen = each.id; show(); } } } });
    if (each.id === state.chosen) open.setAttribute("aria-current", "true");
    const drop = make("button", { type: "button", textContent: "×", data: { "aria-label": `Delete ${title}` }, on: { click: () => {
      if (work) return;
      state.chats = state.chats.filter((other) => other !== each);
      if (state.chosen === each.id) state.chosen = state.chats[0]?.id ?? null;
      keep();
      show();
    } } });
    return make("li", {}, open, drop);
  }));
}

function showMessages() {
  const messages = chat()?.messages ?? [];
  $("messages").replaceChildren(...messages.map((message, place) => {
    const text = make("p", { textContent: message.content });
    const copy = make("button", { type: "button", textContent: "Copy", on: { click: () => navigator.clipboard?.writeText(message.content) } });
    const who = message.role === "user" ? "You" : message.model || "Model";
    const node = make("article", { className: `message ${message.role}` }, make("h3", { textContent: who }), text, copy);
    if (message.role === "user") node.append(make("button", { type: "button", textContent: "Edit", on: { click: () => {
      if (work) return;
      $("text").value = message.content;
      chat().messages.length = place;
      keep();
      show();
      $("text").focus();
    } } }));
    return node;
  }));
  $("messages").scrollTop = $("messages").scrollHeight;
  $("again").disabled = !!work || !messages.some((each) => each.role === "user");
}

function show() {
  const kind = model ? KINDS[model.path] : "";
  for (const each of ["chat", "images", "speech"])
    for (const node of document.querySelectorAll(`.for-${each}`)) node.hidden = each !== kind;
  $("past").hidden = kind !== "chat";
  const classes = kind === "images" ? model.classes : null;
  $("class-label").hidden = !classes;
  $("text-label").hidden = !!classes || model?.prompt === "none";
  $("text-name").textContent = kind === "chat" ? "Message" : kind === "images" ? "What the pictures show" : "What is said";
  $("send").textContent = kind === "chat" ? "Send" : kind === "images" ? "Draw" : "Speak";
  $("send").disabled = !!work || !model;
  $("stop").disabled = !work;
  document.documentElement.classList.toggle("dark", state.dark);
  showChats();
  showMessages();
}

async function answer() {
  const own = chat(), said = { role: "assistant", model: model.id, content: "" };
  const system = $("system").value.trim();
  const messages = own.messages.map(({ role, content }) => ({ role, content }));
  const body = { model: model.id, stream: true, temperature: number("temperature"), top_p: number("top_p"), seed: number("seed"), max_tokens: number("max_tokens") };
  if (model.path === CHAT) body.messages = system ? [{ role: "system", content: system }, ...messages] : messages;
  else Object.assign(body, { prompt: messages.at(-1).content, max_tokens: number("max_tokens") ?? 200 });
  own.messages.push(said);
  show();
  const text = $("messages").lastElementChild.querySelector("p");
  try {
    for await (const event of events(await call(model.path, body, work.signal))) {
      const choice = event.choices[0];
      said.content += choice?.delta?.content ?? choice?.text ?? "";
      text.textContent = said.content;
      $("messages").scrollTop = $("messages").scrollHeight;
    }
  } finally {
    if (!said.content) own.messages.pop();
  }
}

function put(id, ...parts) {
  $(id).prepend(make("div", { data: { role: "listitem" } }, make("figure", {}, ...parts)));
}

async function draw() {
  const count = number("count") || 1, classes = model.classes;
  const prompt = classes ? $("class").value : $("text-label").hidden ? "" : $("text").value;
  const first = number("seed") ?? Math.floor(Math.random() * 2 ** 30);
  $("progress").hidden = false;
  $("progress").value = 0;
  // A few at a time: that is seen, and can be stopped.
  for (let done = 0; done < count; done += AT_ONCE) {
    const n = Math.min(AT_ONCE, count - done), seed = first + done;
    const body = { model: model.id, prompt, n, seed, steps: number("steps"), guidance: number("guidance") };
    const { data } = await (await call(DRAW, body, work.signal)).json();
    data.forEach(({ b64_json }, place) => {
      const what = prompt || model.id, name = `${model.id}-${seed}-${place}.png`;
      const link = `data:image/png;base64,${b64_json}`;
      const save = make("a", { href: link, download: name, textContent: "Save", data: { "aria-label": `Save ${name}` } });
      const caption = make("figcaption", {}, `${what}, seed ${seed} (${place + 1} of ${n}) `, save);
      put("gallery", make("img", { src: link, alt: `${what}, drawn by ${model.id}` }), caption);
    });
    $("progress").value = (done + n) / count;
  }
}

async function speak() {
  const input = $("text").value;
  const body = { model: model.id, input, voice: $("voice").value || undefined, speed: number("speed"), seed: number("seed") };
  const link = URL.createObjectURL(await (await call(SPEAK, body, work.signal)).blob());
  const audio = make("audio", { controls: true, src: link, data: { "aria-label": input } });
  const save = make("a", { href: link, download: "speech.wav", textContent: "Save" });
  put("sounds", audio, make("figcaption", {}, `${input} `, save));
  audio.play().catch(() => {});
}

async function during(job) {
  if (work || !model) return;
  tell("");
  work = new AbortController();
  show();
  try {
    await job();
  } catch (error) {
    if (error.name !== "AbortError") tell(error);
  } finally {
    work = null;
    $("progress").hidden = true;
    keep();
    show();
  }
}

function choose(id) {
  model = models.find((each) => each.id === id) ?? models[0] ?? null;
  if (model) {
    $("model").value = model.id;
    const options = (names) => names.map((name) => make("option", { value: name, textContent: name }));
    $("class").replaceChildren(make("option", { value: "", textContent: "all in turn" }), ...options(model.classes ?? []));
    $("voice").replaceChildren(...options(model.voices?.length ? model.voices : ["default"]));
    state.model = model.id;
  }
  show();
}

async function start() {
  try {
    const { data } = await (await call("/v1/models")).json();
    models = data.map((each) => ({ ...each, path: each.endpoints.find((path) => KINDS[path]) })).filter((each) => each.path);
    $("model").replaceChildren(...models.map(({ id }) => make("option", { value: id, textContent: id })));
    tell(models.length ? "" : "No model here writes, draws or speaks.");
    choose(state.model);
  } catch (error) {
    tell(error);
  }
}

try {
  state = { ...state, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
} catch { /* what was kept is damaged: begin anew */ }
for (const node of $("settings").querySelectorAll("input, textarea")) {
  if (node.id === "key") continue; // it is not kept
  node.value = state.settings[node.id] ?? node.value;
  node.addEventListener("change", () => { state.settings[node.id] = node.value; keep(); });
}
$("key").addEventListener("change", start);
$("settings").addEventListener("submit", (event) => event.preventDefault());
$("model").addEventListener("change", () => { choose($("model").value); keep(); });
$("theme").addEventListener("click", () => { state.dark = !state.dark; keep(); show(); });
$("new").addEventListener("click", () => { if (!work) { newChat(); show(); $("text").focus(); } });
$("stop").addEventListener("click", () => work?.abort());
$("export").addEventListener("click", () => {
  const content = JSON.stringify(chat() ?? { messages: [] }, null, 2);
  const link = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  make("a", { href: link, download: "conversation.json" }).click();
  setTimeout(() => URL.revokeObjectURL(link), 1000);
});
$("again").addEventListener("click", () => during(async () => {
  const { messages } = chat();
  while (messages.at(-1).role !== "user") messages.pop();
  await answer();
}));
$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const kind = KINDS[model?.path];
  if (kind === "images") return during(draw);
  const text = $("text").value;
  if (!text.trim()) return;
  if (kind === "speech") return during(speak);
  during(async () => {
    (chat() ?? newChat()).messages.push({ role: "user", content: text });
    $("text").value = "";
    await answer();
  });
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("ask").requestSubmit();
  }
});
show();
start();
