// Curves over epochs as SVG: one or two trainings, each with what it was trained on and what was held out.

import { make, makeSvg } from "../dom.js";
import { number, percent, text } from "../texts.js";

const WIDTH = 420;
const HEIGHT = 240;
const EDGE = { left: 54, right: 10, top: 10, bottom: 30 };
const TICKS = 5;

// A chart of `lines`, [{name, style: "first" | "second", heldOut, points: [[epoch, value]]}], with sentences below it, or
// null without points.
export function chart(title, lines, { shares = false, notes = [] } = {}) {
  const drawn = lines.filter((line) => line.points.length);
  const points = drawn.flatMap((line) => line.points);
  if (!points.length) return null;
  const last = Math.max(...points.map(([epoch]) => epoch), 2);
  const ticks = niceTicks(Math.min(...points.map(([, value]) => value)), Math.max(...points.map(([, value]) => value)));
  const [low, high] = [ticks[0], ticks.at(-1)];
  const x = (epoch) => EDGE.left + ((epoch - 1) / (last - 1)) * (WIDTH - EDGE.left - EDGE.right);
  const y = (value) => HEIGHT - EDGE.bottom - ((value - low) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const shownTick = (value) => (shares ? percent(value, high - low < 0.1 ? 1 : 0) : number(value, 3));
  const shownValue = (value) => (shares ? percent(value, 2) : number(value, 4));
  const grid = ticks.flatMap((tick) => [
    makeSvg("line", { class: "axis", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y(tick), y2: y(tick) }),
    makeSvg("text", { x: EDGE.left - 6, y: y(tick) + 5, "text-anchor": "end" }, shownTick(tick)),
  ]);
  const bottom = HEIGHT - 10;
  const epochs = [
    makeSvg("text", { x: EDGE.left, y: bottom }, "1"),
    makeSvg("text", { x: (EDGE.left + WIDTH) / 2, y: bottom, "text-anchor": "middle" }, text("epoch")),
    makeSvg("text", { x: WIDTH - EDGE.right, y: bottom, "text-anchor": "end" }, number(last)),
  ];
  const curves = drawn.map((line) => curve(line, x, y));
  const picture = makeSvg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. ${described(drawn, shownValue)}` },
    ...grid,
    ...epochs,
    ...curves,
  );
  const remarks = notes.map((note) => make("p", { class: "quiet" }, note));
  return make("figure", { class: "chart" }, make("h3", {}, title), picture, legend(drawn, shownValue), ...remarks);
}

function curve(line, x, y) {
  const style = `${line.style}${line.heldOut ? " held-out" : ""}`;
  if (line.points.length === 1) {
    const [[epoch, value]] = line.points;
    return makeSvg("circle", { class: style, cx: x(epoch), cy: y(value), r: 3 });
  }
  const path = line.points.map(([epoch, value]) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return makeSvg("polyline", { class: style, points: path });
}

function legend(lines, shownValue) {
  const items = lines.map((line) => {
    const style = `${line.style}${line.heldOut ? " held-out" : ""}`;
    const stroke = makeSvg("polyline", { class: style, points: "0,5 28,5" });
    const sample = makeSvg("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" }, stroke);
    return make("li", {}, sample, `${line.name}: ${shownValue(line.points.at(-1)[1])}`);
  });
  return make("ul", { class: "legend" }, ...items);
}

function described(lines, shownValue) {
  return lines
    .map(({ name, points }) => `${name}: ${shownValue(points[0][1])} → ${shownValue(points.at(-1)[1])}`)
    .join("; ");
}

// Round numbers that enclose the values, about five of them.
function niceTicks(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / (TICKS - 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const first = Math.floor(low / step);
  const end = Math.max(Math.ceil(high / step), first + 1);
  return Array.from({ length: end - first + 1 }, (_, index) => (first + index) * step);
}
