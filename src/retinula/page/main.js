// The page: what is asked for, what is shown, in which language.

import { showAnswer } from "./answer.js";
import { byId, named } from "./dom.js";
import { showList } from "./list.js";
import { takePictures } from "./pictures.js";
import { explained, number, percent, preferredLanguage, speak, text } from "./texts.js";

const MIB = 1024 * 1024;
// So many pictures, and about so many bytes, go together: small enough that progress shows.
const TOGETHER = 16;
const BYTES_TOGETHER = 8 * MIB;
const NAMED = 12; // classes that are named before anything is asked

let answerer = null; // who answers: a server, or this browser
let trainings = null; // who shows trainings, where there are any
let model = null;
let entries = []; // what is shown: [{file, prediction, address}]
let shown = null; // the one of them that is shown in detail
let turn = 0; // counts what was asked, so that a late answer does not overwrite a newer one

// Begin. `answers` is a module with `describe` and `ask`, as server/answers.js says, and with `prepare` where it takes
// time before the first answer; `runs` one with `openRuns` and `redrawRuns`, or null.
export function start(answers, runs) {
  answerer = answers;
  trainings = runs;
  speak(preferredLanguage());
  const languages = byId("language");
  languages.value = document.documentElement.lang;
  languages.addEventListener("change", () => speak(languages.value));
  document.addEventListener("spoken", redraw);
  startTabs();
  takePictures(answer, () => fail(text("noPicture")), () => fail(text("noCamera")));
  answerer.describe().then(introduce, (error) => fail(error.message));
}

function introduce(described) {
  model = described;
  document.title = `${model.name} · Retinula`;
  byId("tab-runs").hidden = !model.runs;
  byId("tabs").hidden = !model.runs;
  redraw();
  if (answerer.prepare) prepare();
}

async function prepare() {
  say(text("preparing", number(model.bytes / MIB, 0)));
  try {
    await answerer.prepare();
    if (turn === 0) say("");
  } catch (error) {
    if (turn === 0) fail(error.message);
  }
}

function redraw() {
  if (model) {
    byId("model").textContent = text("model", model.name, model.classes.length);
    const known = model.classes.slice(0, NAMED).map(named);
    byId("known").replaceChildren(...text("knows", known, model.classes.length - known.length));
    const accepted = model.in_browser ? "acceptedHere" : "accepted";
    byId("accepted").textContent = text(accepted, number(model.limits.max_bytes / MIB));
  }
  draw();
  trainings?.redrawRuns();
}

// Ask about pictures and show the answers.
async function answer(files) {
  const mine = (turn += 1);
  clear();
  entries = files.map((file) => ({ file, prediction: null, address: URL.createObjectURL(file) }));
  const single = files.length === 1;
  const include = single ? wanted() : wanted().filter((name) => name === "seen");
  const progress = byId("progress");
  progress.max = files.length;
  progress.value = 0;
  progress.hidden = single;
  try {
    for (const chunk of chunks(entries)) {
      say(text("busy", progress.value, files.length));
      const predictions = await answerer.ask(chunk.map((entry) => entry.file), { include });
      if (mine !== turn) return;
      chunk.forEach((entry, index) => (entry.prediction = predictions[index]));
      progress.value += chunk.length;
    }
  } catch (error) {
    if (mine !== turn) return;
    fail(error.message);
    if (!entries.some((entry) => entry.prediction && !entry.prediction.error)) return;
    // What has been answered stays; a later answer that failed is that of its pictures alone.
    for (const entry of entries) entry.prediction ??= { error: { message: error.message } };
    draw();
    return;
  } finally {
    if (mine === turn) progress.hidden = true;
  }
  if (single && entries[0].prediction.error) {
    fail(explained(entries[0].prediction.error, files[0].name));
    return;
  }
  shown = single ? entries[0] : null;
  draw();
  announce(single ? spokenAnswer(shown.prediction) : spokenList());
}

// Beside the classes: everything that can be had.
function wanted() {
  return model?.includes ?? [];
}

function* chunks(all) {
  let chunk = [];
  let bytes = 0;
  for (const entry of all) {
    const limit = model?.limits?.max_bytes;
    if (limit && entry.file.size > limit) {
      entry.prediction = { error: { message: `${entry.file.name}: ${text("tooLarge", number(limit / MIB))}` } };
      continue;
    }
    if (chunk.length && (chunk.length === TOGETHER || bytes + entry.file.size > BYTES_TOGETHER)) {
      yield chunk;
      [chunk, bytes] = [[], 0];
    }
    chunk.push(entry);
    bytes += entry.file.size;
  }
  if (chunk.length) yield chunk;
}

// Show one of many in detail.
async function look(entry) {
  const mine = (turn += 1);
  try {
    if (wanted().some((name) => !(name in entry.prediction))) {
      const [prediction] = await answerer.ask([entry.file], { include: wanted() });
      if (mine !== turn) return;
      if (!prediction.error) entry.prediction = prediction;
    }
  } catch (error) {
    fail(error.message);
    return;
  }
  shown = entry;
  draw();
  announce(spokenAnswer(entry.prediction));
  byId("answer").scrollIntoView({ block: "nearest" });
  byId("answer").focus();
}

function draw() {
  if (entries.some((entry) => entry.prediction === null)) return;
  byId("answer").hidden = shown === null;
  if (shown) byId("answer").replaceChildren(showAnswer(shown.file, shown.prediction, shown.address));
  byId("list").hidden = entries.length < 2;
  if (entries.length > 1) byId("list").replaceChildren(...showList(entries, look));
}

function clear() {
  for (const { address } of entries) URL.revokeObjectURL(address);
  entries = [];
  shown = null;
  byId("failure").hidden = true;
  byId("answer").hidden = true;
  byId("list").hidden = true;
}

function spokenAnswer(prediction) {
  const verdict = text("verdict", prediction.label, percent(prediction.probability)).join("");
  return prediction.unfamiliar ? `${verdict}. ${text("unlike")}` : verdict;
}

function spokenList() {
  return [...byId("list").querySelectorAll("h2, .notice")].map((each) => each.textContent).join(". ");
}

function say(words) {
  byId("status").classList.remove("hidden");
  byId("status").textContent = words;
}

// For those who hear the page: what the others see further down.
function announce(words) {
  say(words);
  byId("status").classList.add("hidden");
}

function fail(words) {
  say("");
  const failure = byId("failure");
  failure.textContent = words;
  failure.hidden = false;
}

// Tabs as the ARIA Authoring Practices have them: arrows move between them, Tab leaves them.
function startTabs() {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const open = (chosen) => {
    for (const tab of tabs) {
      const selected = tab === chosen;
      tab.ariaSelected = String(selected);
      tab.tabIndex = selected ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = !selected;
    }
    if (chosen.id === "tab-runs") trainings.openRuns(model?.name);
  };
  for (const tab of tabs) {
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const visible = tabs.filter((each) => !each.hidden);
      const next = visible[(visible.indexOf(tab) + step + visible.length) % visible.length];
      next.focus();
      open(next);
    });
  }
}
