// One picture and all that is known of it.

import { make, makeSvg, named } from "./dom.js";
import { percent, text } from "./texts.js";

const SURE = 0.5;
const TINY = 128; // pixels; smaller pictures are enlarged, pixel by pixel
// Where nothing was found the overlay is clear, where most was found it is this colour.
const OVERLAY = [255, 122, 0];
const STRENGTH = 0.75;

// The elements that show one picture, `address` being where the browser finds it.
export function showAnswer(file, prediction, address) {
  const best = prediction.top[0];
  const title = make("h2", {}, file.name);
  const verdict = make("p", { class: "verdict" }, text("verdict", named(best.label), percent(best.probability)));
  const notes = [];
  if (prediction.unfamiliar) notes.push(make("p", { class: "notice" }, text("unlike")));
  else if (best.probability < SURE) notes.push(make("p", { class: "quiet" }, text("unsure")));
  return make(
    "div",
    { class: "answer" },
    make("div", {}, original(prediction, address), small(prediction)),
    make("div", { class: "words" }, title, verdict, ...notes, bars(prediction.top), similar(prediction.similar)),
  );
}

function original(prediction, address) {
  const tiny = Math.max(prediction.width, prediction.height) < TINY;
  const image = make("img", { src: address, alt: "", class: tiny ? "tiny" : null });
  // What a browser cannot show, such as TIFF, the server may read nevertheless.
  image.addEventListener("error", () => image.remove());
  const caption = text("original", prediction.width, prediction.height);
  return make("figure", { class: "original" }, image, make("figcaption", {}, caption));
}

function small(prediction) {
  if (!prediction.seen) return null;
  const seen = make("img", { src: prediction.seen, alt: "" });
  const caption = make("figcaption");
  const sized = () => (caption.textContent = text("seen", seen.naturalWidth, seen.naturalHeight));
  seen.addEventListener("load", sized);
  const figures = [make("figure", { class: "seen" }, seen, caption)];
  if (prediction.heatmap) {
    const canvas = make("canvas", { role: "img", "aria-label": text("looked", prediction.label).join("") });
    overlay(canvas, prediction.seen, prediction.heatmap);
    const looked = make("figcaption", {}, text("looked", named(prediction.label)));
    figures.push(make("figure", { class: "looked" }, canvas, looked));
  }
  return make("div", { class: "small" }, ...figures);
}

async function overlay(canvas, seen, heatmap) {
  const [below, above] = await Promise.all([loaded(seen), loaded(heatmap)]);
  canvas.width = below.naturalWidth;
  canvas.height = below.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(above, 0, 0, canvas.width, canvas.height);
  const found = context.getImageData(0, 0, canvas.width, canvas.height).data;
  context.drawImage(below, 0, 0);
  const mixed = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let pixel = 0; pixel < found.length; pixel += 4) {
    const weight = (STRENGTH * found[pixel]) / 255;
    for (let channel = 0; channel < 3; channel += 1) {
      const value = mixed.data[pixel + channel];
      mixed.data[pixel + channel] = value + weight * (OVERLAY[channel] - value);
    }
  }
  context.putImageData(mixed, 0, 0);
}

function loaded(address) {
  const image = new Image();
  image.src = address;
  return image.decode().then(() => image);
}

function bars(top) {
  const rows = top.map(({ label, probability }) =>
    make(
      "li",
      {},
      make("span", { class: "name" }, named(label)),
      make("span", { class: "share" }, percent(probability)),
      make("span", { class: "track", "aria-hidden": "true" }, bar(probability)),
    ),
  );
  return make("ol", { class: "bars", "aria-label": text("best") }, ...rows);
}

function bar(share) {
  const rectangle = makeSvg("rect", { width: 100 * share, height: 1 });
  return makeSvg("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none" }, rectangle);
}

function similar(pictures) {
  if (!pictures?.length) return null;
  const items = pictures.map(({ image, label }) => make("li", {}, make("img", { src: image, alt: "" }), named(label)));
  return make("section", {}, make("h3", {}, text("similar")), make("ul", { class: "similar" }, ...items));
}
