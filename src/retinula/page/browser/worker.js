// The thread that runs the model: first what it is, then question after question.

import { InferenceSession, Tensor, env } from "../../onnxruntime/ort.wasm.bundle.min.js";
import { UnreadablePicture, decode } from "./decode.js";
import { lookAt } from "./shrink.js";

const RUNTIME = new URL("../../onnxruntime/ort-wasm-simd-threaded.wasm", import.meta.url);

let model = null; // its description
let session = null;
let last = Promise.resolve(); // what is being worked on: one thing at a time

self.addEventListener("message", ({ data }) => {
  last = last.then(() => (data.number ? answer(data) : load(data))).then(
    (message) => self.postMessage(message),
    (error) => self.postMessage({ number: data.number, failure: String(error) }),
  );
});

async function load({ folder, description }) {
  model = description;
  // More threads need headers that a server of plain files does not send.
  env.wasm.numThreads = 1;
  env.wasm.wasmPaths = { wasm: RUNTIME.href };
  session = await InferenceSession.create(new URL("model.onnx", folder).href, { executionProviders: ["wasm"] });
  return { ready: true };
}

async function answer({ number, files, include, top }) {
  const predictions = [];
  for (const file of files) predictions.push(await predict(file, include, top));
  return { number, predictions };
}

async function predict(file, include, top) {
  try {
    const { pixels, width, height } = await decode(file, model.input.channels, model.limits.max_pixels);
    const views = lookAt(pixels, width, height, model.input);
    const { means, unfamiliar } = await run(views);
    const likeliest = ranked(means).slice(0, top);
    const prediction = { name: file.name, width, height, ...likeliest[0], top: likeliest };
    if (unfamiliar !== null) prediction.unfamiliar = unfamiliar;
    if (include.includes("seen")) prediction.seen = await picture(seen(views[0]));
    return prediction;
  } catch (error) {
    if (!(error instanceof UnreadablePicture)) throw error;
    return { name: file.name, error: { code: error.code, message: error.message } };
  }
}

// Run the network on all views of a picture, [height x width x channels] each; gives the means of the probabilities, and
// whether the whole, which is the first view, is unfamiliar: null where the graph has no such output.
async function run(views) {
  const [height, width] = model.input.size;
  const each = height * width * 3;
  const images = new Uint8Array(views.length * each);
  views.forEach((view, index) => images.set(coloured(view), index * each));
  const input = new Tensor("uint8", images, [views.length, height, width, 3]);
  const outputs = await session.run({ [session.inputNames[0]]: input });
  const [probabilities, told] = session.outputNames.map((name) => outputs[name]);
  const count = model.classes.length;
  const means = new Float32Array(count);
  probabilities.data.forEach((probability, index) => (means[index % count] += probability / views.length));
  const unfamiliar = told ? Boolean(told.data[0]) : null;
  probabilities.dispose();
  told?.dispose();
  return { means, unfamiliar };
}

// The graph takes colours always: a grey picture is three times the same.
function coloured(small) {
  if (model.input.channels === 3) return small;
  return Uint8Array.from({ length: 3 * small.length }, (_, index) => small[Math.floor(index / 3)]);
}

function ranked(probabilities) {
  return model.classes
    .map((label, index) => ({ label, probability: probabilities[index] }))
    .sort((a, b) => b.probability - a.probability)
    .map(({ label, probability }) => ({ label, probability: Number(probability.toFixed(7)) }));
}

// The part of a small picture that the network looks at, as [height, width, its pixels].
function seen(small) {
  const { size, crop, channels } = model.input;
  const [height, width] = crop ?? size;
  const [top, left] = [(size[0] - height) >> 1, (size[1] - width) >> 1];
  const rows = Array.from({ length: height }, (_, row) => {
    const start = ((top + row) * size[1] + left) * channels;
    return [...small.subarray(start, start + width * channels)];
  });
  return [height, width, Uint8Array.from(rows.flat())];
}

// A small picture as a PNG in a `data:` address.
async function picture([height, width, pixels]) {
  const { channels } = model.input;
  const data = new Uint8ClampedArray(4 * height * width).fill(255);
  for (let pixel = 0; pixel < height * width; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      data[4 * pixel + channel] = pixels[pixel * channels + (channel % channels)];
    }
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  return new FileReaderSync().readAsDataURL(await canvas.convertToBlob({ type: "image/png" }));
}
