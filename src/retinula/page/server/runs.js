// The second tab: trainings, their curves and results, two of them side by side.

import { chart } from "./chart.js";
import { byId, make } from "../dom.js";
import { download, hasToken, request } from "./server.js";
import { number, percent, text } from "../texts.js";

const STYLES = ["first", "second"];
const none = (value) => value === null || value === undefined;
const share = (value) => (none(value) ? "–" : percent(value, 2));
// What a training reached on its validation pictures: an accuracy, or the loss of what knows no classes.
const reached = (run) =>
  none(run.val_accuracy) && !none(run.val_loss) ? text("lossOf", number(run.val_loss)) : share(run.val_accuracy);

let runs = null; // what the server has: summaries, the newest first
let chosen = []; // names, at most two
const known = new Map(); // details by name
let failure = "";
let turn = 0;

// Read the trainings anew and show them; `served` is chosen where nothing is yet.
export async function openRuns(served) {
  try {
    if (runs === null) byId("runs").replaceChildren(make("p", { role: "status" }, text("loadingRuns")));
    runs = (await request("v1/runs")).runs;
    known.clear();
    chosen = (chosen.length ? chosen : [served]).filter((name) => runs.some((run) => run.name === name));
    failure = "";
    await readChosen();
  } catch (error) {
    failure = error.message;
  }
  redrawRuns();
}

export function redrawRuns() {
  if (byId("runs").hidden || (runs === null && !failure)) return;
  const parts = [];
  if (failure) parts.push(make("p", { class: "notice", role: "alert" }, failure));
  if (runs?.length === 0) parts.push(make("p", {}, text("noRuns")));
  else if (runs) parts.push(make("p", { class: "quiet" }, text("chooseRuns")), list(), details());
  byId("runs").replaceChildren(...parts);
}

function list() {
  const columns = ["run", "network", "dataset", "validation", "test", "begun"];
  const wide = new Set(["network", "dataset", "begun"]);
  const numeric = new Set(["validation", "test"]);
  const classOf = (key) => (wide.has(key) ? "wide" : numeric.has(key) ? "number" : null);
  const head = columns.map((key) => make("th", { scope: "col", class: classOf(key) }, text(key)));
  const rows = runs.map((run) => {
    const box = make("input", {
      type: "checkbox",
      id: `run-${run.name}`,
      checked: chosen.includes(run.name),
      "aria-label": text("chooseRun", run.name),
      change: (event) => choose(run.name, event.target.checked),
    });
    const label = make("label", { for: `run-${run.name}` }, run.name);
    const told = run.ended_early ? "ended" : run.finished ? null : "unfinished";
    const state = told ? [" ", make("span", { class: "quiet" }, `(${text(told)})`)] : [];
    return make(
      "tr",
      {},
      make("td", {}, box),
      make("td", { class: "wrap" }, label, ...state),
      make("td", { class: "wide" }, run.network ?? "–"),
      make("td", { class: "wide" }, run.dataset ?? "–"),
      make("td", { class: "number" }, reached(run)),
      make("td", { class: "number" }, share(run.test_accuracy)),
      make("td", { class: "wide" }, run.begun ? date(run.begun) : "–"),
    );
  });
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": text("runs") },
    make("table", {}, make("thead", {}, make("tr", {}, make("td"), ...head)), make("tbody", {}, ...rows)),
  );
}

function date(moment) {
  const options = { dateStyle: "medium", timeStyle: "short" };
  return new Date(moment).toLocaleString(document.documentElement.lang, options);
}

async function choose(name, wanted) {
  chosen = chosen.filter((each) => each !== name);
  if (wanted) chosen = [...chosen, name].slice(-2);
  try {
    failure = "";
    await readChosen();
  } catch (error) {
    failure = error.message;
  }
  redrawRuns();
  byId(`run-${name}`)?.focus();
}

async function readChosen() {
  const mine = (turn += 1);
  for (const name of chosen) {
    if (!known.has(name)) known.set(name, await request(`v1/runs/${encodeURIComponent(name)}`));
    if (mine !== turn) return;
  }
}

function details() {
  const shown = chosen.map((name) => known.get(name)).filter(Boolean);
  if (!shown.length) return make("div");
  const charts = [
    chart(text("accuracyChart"), lines(shown, "accuracy"), { shares: true }),
    chart(text("lossChart"), lines(shown, "loss"), { notes: notesOfLoss(shown) }),
  ].filter(Boolean);
  const links = shown.filter((run) => run.report).map(reportLink);
  return make(
    "div",
    { class: "chosen" },
    make("h2", {}, shown.map((run) => run.name).join(" – ")),
    links.length ? make("div", { class: "row" }, ...links) : null,
    make("div", { class: "charts" }, ...charts),
    table(shown),
  );
}

function lines(shown, key) {
  return shown.flatMap((run, index) =>
    [
      [key, key === "loss" ? text("trainingWith", run.only_in_training) : text("training"), false],
      [`val_${key}`, text("heldOut"), true],
    ].map(([column, what, heldOut]) => ({
      name: shown.length > 1 ? `${run.name}, ${what}` : what,
      style: STYLES[index],
      heldOut,
      points: run.curves.filter((row) => Number.isFinite(row[column])).map((row) => [row.epoch, row[column]]),
    })),
  );
}

// Why training and validation loss cannot be compared, once for all trainings that count the same; none where they can.
function notesOfLoss(shown) {
  const both = ({ curves }) => ["loss", "val_loss"].every((key) => curves.some((row) => Number.isFinite(row[key])));
  const counted = shown.filter((run) => run.only_in_training && both(run)).map((run) => run.only_in_training);
  return [...new Set(counted)].map((what) => text("notComparable", what));
}

// The report is a page of its own; it is fetched with the token, where there is one, and given to the browser.
function reportLink(run) {
  const path = `v1/runs/${encodeURIComponent(run.name)}/report`;
  const open = async (event) => {
    if (!hasToken()) return;
    event.preventDefault();
    try {
      const address = URL.createObjectURL(await download(path));
      make("a", { href: address, download: `${run.name}.html` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    } catch (error) {
      failure = error.message;
      redrawRuns();
    }
  };
  return make("a", { href: path, target: "_blank", rel: "noopener", click: open }, `${text("report")}: ${run.name}`);
}

// What came out, and the settings that differ; those that are the same are folded away.
function table(shown) {
  const results = rowsOf(shown, resultsOf);
  const settings = rowsOf(shown, (run) => run.settings);
  const differing = settings.filter(differs);
  const same = settings.filter((row) => !differs(row));
  const parts = [make("h3", {}, text("results")), grid(shown, results)];
  if (differing.length) parts.push(make("h3", {}, text("differing")), grid(shown, differing));
  const called = text(shown.length > 1 ? "same" : "settings", same.length);
  const folded = make("details", {}, make("summary", {}, called), grid(shown, same));
  return make("section", { class: "facts" }, ...parts, same.length ? folded : null);
}

// Rows [key, value of each training], in the order in which keys are first met.
function rowsOf(shown, factsOf) {
  const rows = new Map();
  shown.forEach((run, index) => {
    for (const [key, value] of Object.entries(factsOf(run))) {
      if (!rows.has(key)) rows.set(key, shown.map(() => "–"));
      rows.get(key)[index] = String(value);
    }
  });
  return [...rows];
}

const differs = ([, values]) => values.length > 1 && values[0] !== values[1];

function grid(shown, rows) {
  const names = shown.map((run) => make("th", { scope: "col" }, run.name));
  const body = rows.map(([key, values]) => {
    const cells = values.map((value) => make("td", { class: "wrap" }, value));
    return make("tr", {}, make("th", { scope: "row" }, key), ...cells);
  });
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": text("results") },
    make("table", {}, make("thead", {}, make("tr", {}, make("td"), ...names)), make("tbody", {}, ...body)),
  );
}

function resultsOf(run) {
  const found = {
    [text("recipe")]: run.recipe ?? "–",
    [text("validation")]: reached(run),
  };
  for (const result of run.results) {
    const value = "accuracy" in result ? accuracy(result) : "psnr" in result ? `${number(result.psnr, 2)} dB` : "–";
    found[`${result.dataset} ${result.split}`] = value;
  }
  found[text("parameters")] = run.parameters === null ? "–" : number(run.parameters, 0);
  found[text("seconds")] = run.seconds === null ? "–" : number(run.seconds, 0);
  return found;
}

function accuracy(result) {
  if (!("accuracy_low" in result)) return share(result.accuracy);
  return `${share(result.accuracy)} (${share(result.accuracy_low)} – ${share(result.accuracy_high)})`;
}
