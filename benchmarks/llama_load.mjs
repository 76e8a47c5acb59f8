// The side `llama` of serving_load.py: requests come as lines of JSON on the input, and
// for each token a line goes out; one with 0 tokens ends an answer.
//
// Arguments: node-llama-cpp's index.js, the model's file, threads, requests at once.

import readline from "node:readline";

const [library, modelPath, threads, rows] = process.argv.slice(2);
const {getLlama} = await import(library);
const llama = await getLlama({
  build: "never", gpu: false, logLevel: "error", maxThreads: Number(threads),
});
const model = await llama.loadModel({modelPath});
const context = await model.createContext({
  sequences: Number(rows), contextSize: 512, threads: Number(threads), batchSize: 512,
});
const free = Array.from({length: Number(rows)}, () => context.getSequence());
const waiting = [];
const say = (said) => process.stdout.write(JSON.stringify(said) + "\n");

async function answer({name, prompt, tokens}) {
  const sequence = free.pop();
  let count = 0;
  await sequence.clearHistory();
  const written = sequence.evaluate(prompt, {temperature: 1, yieldEogToken: true});
  for await (const _ of written) {
    say({name, came: 1});
    if (++count >= tokens) break;
  }
  say({name, came: 0});
  free.push(sequence);
  serve();
}

function serve() {
  while (waiting.length && free.length) answer(waiting.shift());
}

process.stdout.write("ready\n");
for await (const line of readline.createInterface({input: process.stdin})) {
  waiting.push(JSON.parse(line));
  serve();
}
process.exit(0);
