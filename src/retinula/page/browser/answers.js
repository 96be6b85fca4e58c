// Answers from a model that this browser runs, in a thread of its own: the page stays alive meanwhile.

import { text } from "../texts.js";

const FOLDER = new URL("../../model/", import.meta.url);

let worker = null;
let description = null;
let ready = null; // a promise: the network is loaded
let asked = 0;
const waiting = new Map(); // by number what was asked: {resolve, reject}

// What the model is, as server/answers.js has it, and `bytes`, what there is to load.
export async function describe() {
  try {
    const response = await fetch(new URL("model.json", FOLDER));
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    description = await response.json();
  } catch (error) {
    console.warn(error);
    throw new Error(text("noModel"));
  }
  return description;
}

// Load the network; ends when it is there, throws where it cannot be had.
export function prepare() {
  ready ??= begin();
  return ready;
}

// Say what is on pictures: as server/answers.js, but that `include` can only name "seen".
export async function ask(files, { include = [], top = 5 } = {}) {
  await prepare();
  const number = (asked += 1);
  const predictions = await new Promise((resolve, reject) => {
    waiting.set(number, { resolve, reject });
    worker.postMessage({ number, files, include, top });
  });
  const [{ error }] = predictions;
  if (error && files.length === 1) error.message = `cannot read ${files[0].name}: ${error.message}`;
  return predictions;
}

function begin() {
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.addEventListener("message", ({ data }) => {
      if (data.ready) resolve();
      else if (data.predictions) settle(data.number, "resolve", data.predictions);
      else end(data.failure, text(data.number ? "broken" : "noModel"), reject);
    });
    worker.addEventListener("error", (event) => end(event.message, text("noModel"), reject));
    worker.postMessage({ folder: FOLDER.href, description });
  });
}

function settle(number, how, value) {
  waiting.get(number)?.[how](value);
  waiting.delete(number);
}

// A network that failed is not asked again: memory that ran out stays lost to it. The next question begins anew.
function end(cause, words, reject) {
  console.warn(cause);
  worker.terminate();
  ready = null;
  const trouble = new Error(words);
  reject(trouble);
  for (const number of [...waiting.keys()]) settle(number, "reject", trouble);
}
