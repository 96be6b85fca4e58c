// Many pictures as a table that can be sorted, and as CSV.

import { make, named } from "./dom.js";
import { explained, percent, text } from "./texts.js";

const COLUMNS = [
  { key: "name", value: (entry) => entry.file.name },
  { key: "answer", value: (entry) => entry.prediction.label ?? "" },
  { key: "probability", value: (entry) => entry.prediction.probability ?? -1 },
  { key: "runnerUp", value: (entry) => entry.prediction.top?.[1]?.label ?? "" },
];

let order = { key: null, descending: false };

// The elements that show `entries`, [{file, prediction, address}]; `look` is called with the one to show in detail.
export function showList(entries, look) {
  const failed = entries.filter((entry) => entry.prediction.error).length;
  const unfamiliar = entries.filter((entry) => entry.prediction.unfamiliar).length;
  const body = make("tbody");
  const heads = COLUMNS.map(({ key }) => {
    const sort = () => {
      order = { key, descending: order.key === key ? !order.descending : key === "probability" };
      redraw();
    };
    return make("th", { scope: "col", class: classOf(key) }, make("button", { type: "button", click: sort }, text(key)));
  });
  const redraw = () => {
    heads.forEach((head, index) => {
      const chosen = COLUMNS[index].key === order.key;
      if (chosen) head.ariaSort = order.descending ? "descending" : "ascending";
      else head.removeAttribute("aria-sort");
    });
    body.replaceChildren(...sorted(entries).map((entry) => row(entry, look)));
  };
  redraw();
  const save = () => download("answers.csv", csvOf(sorted(entries)));
  const head = make("tr", {}, make("th", { scope: "col" }, make("span", { class: "hidden" }, text("picture"))), ...heads, make("td"));
  return [
    make(
      "div",
      { class: "above" },
      make("h2", {}, text("several", entries.length, failed)),
      make("button", { type: "button", id: "download", click: save }, text("download")),
    ),
    unfamiliar ? make("p", { class: "notice" }, text("someUnlike", unfamiliar)) : null,
    make(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": text("list") },
      make("table", {}, make("caption", { class: "hidden" }, text("list")), make("thead", {}, head), body),
    ),
  ].filter(Boolean);
}

function classOf(key) {
  return { probability: "number", runnerUp: "wide" }[key];
}

function row(entry, look) {
  const { file, prediction, address } = entry;
  const thumbnail = make("img", { src: address, alt: "", loading: "lazy" });
  thumbnail.addEventListener("error", () => thumbnail.remove());
  const name = make("td", { class: "wrap" }, file.name);
  if (prediction.error) {
    const reason = make("td", { colspan: 4, class: "wrap" }, explained(prediction.error));
    return make("tr", { class: "failed" }, make("td", {}, thumbnail), name, reason);
  }
  const button = make(
    "button",
    { type: "button", class: "look", "aria-label": text("look", file.name), click: () => look(entry) },
    text("details"),
  );
  return make(
    "tr",
    {},
    make("td", {}, thumbnail),
    name,
    make("td", { class: "wrap label" }, named(prediction.label), prediction.unfamiliar ? mark() : null),
    make("td", { class: "number" }, percent(prediction.probability)),
    make("td", { class: "wide" }, named(prediction.top[1]?.label ?? "")),
    make("td", {}, button),
  );
}

function mark() {
  return make("span", { class: "mark" }, text("unfamiliar"));
}

function sorted(entries) {
  const column = COLUMNS.find(({ key }) => key === order.key);
  if (!column) return entries;
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  const direction = order.descending ? -1 : 1;
  return entries.toSorted((first, second) => {
    const [a, b] = [column.value(first), column.value(second)];
    return direction * (typeof a === "number" ? a - b : compare(a, b));
  });
}

// The table in the order of `entries` as `retinula predict --csv` writes it, but for the right answers, which no page knows.
export function csvOf(entries) {
  const rows = entries
    .filter((entry) => !entry.prediction.error)
    .map(({ file, prediction }) => [
      harmless(file.name, "./"),
      harmless(prediction.label, "'"),
      prediction.probability.toFixed(6),
      { true: "True", false: "False" }[prediction.unfamiliar] ?? "",
    ]);
  return [["file", "answer", "probability", "unfamiliar"], ...rows]
    .map((cells) => cells.map(quoted).join(",") + "\n")
    .join("");
}

function quoted(cell) {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

// Keep spreadsheets from taking a name for a formula, also behind apostrophes, which are taken away when it is read back.
function harmless(cell, prefix) {
  return cell.length > 1 && /^'*[=+\-@\t\r]/.test(cell) ? prefix + cell : cell;
}

function download(name, content) {
  const address = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
