"use strict";
(() => {
  for (const table of document.querySelectorAll("table.sorts")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const numeric = head.classList.contains("number");
        const before = head.getAttribute("aria-sort");
        const rising = before ? before === "descending" : !numeric;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const value = (row) => {
          const cell = row.cells[column];
          return numeric ? Number(cell.dataset.value) : cell.textContent.trim();
        };
        const order = (a, b) => (numeric ? value(a) - value(b) : value(a).localeCompare(value(b), undefined, { numeric: true }));
        const body = table.tBodies[0];
        const rows = [...body.rows].sort((a, b) => (rising ? order(a, b) : order(b, a)));
        body.append(...rows);
      });
    });
  }

  const pictured = (kind, sheet, place, words) => {
    const picture = document.createElement("i");
    picture.className = `pic ${kind}`;
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", words);
    picture.style.setProperty("--x", place % sheet.columns);
    picture.style.setProperty("--y", Math.floor(place / sheet.columns));
    return picture;
  };

  const apart = (name) => `\u2068${name}\u2069`; // whichever way it is written, what stands around it keeps its order

  // The number of the place, in units of a drawing, that is meant by pointing at it or near it; -1 for none.
  const meant = (drawing, event, places, counts = () => true) => {
    const box = drawing.getBoundingClientRect();
    const scale = drawing.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    const y = (event.clientY - box.top) * scale;
    let best = -1;
    let nearest = (18 * Math.max(1, scale)) ** 2;
    places.forEach(([across, down], number) => {
      const far = (across - x) ** 2 + (down - y) ** 2;
      if (far < nearest && counts(number)) [best, nearest] = [number, far];
    });
    return best;
  };

  const named = (words, file, between) => (file ? `${words}${between}${file}` : words);

  const mapData = document.getElementById("map-data");
  if (mapData) {
    const { classes, points, files, sheet } = JSON.parse(mapData.textContent);
    const drawing = document.getElementById("map-drawing");
    const ring = document.getElementById("map-ring");
    const told = document.getElementById("map-told");
    const buttons = [...document.querySelectorAll(".kinds button")];
    let alone = null;
    let current = -1;
    const counts = (number) => alone === null || points[number][3] === alone;
    const tell = (number) => {
      current = number;
      const [x, y, index, label, answer, sure, place] = points[number];
      ring.setAttribute("cx", x);
      ring.setAttribute("cy", y);
      ring.removeAttribute("hidden");
      const truth = document.createElement("b");
      truth.dir = "auto";
      truth.textContent = classes[label];
      const said = label === answer ? ` \u2713 rightly called so, ${sure} sure` : ` \u2717 called ${apart(classes[answer])}, ${sure} sure`;
      const line = document.createElement("div");
      line.append(truth, said);
      const where = document.createElement("small");
      where.textContent = named(`picture ${index.toLocaleString("en")}`, files[index] && apart(files[index]), " ");
      told.replaceChildren(pictured("mapped", sheet, place, classes[label]), line, where);
    };
    const at = (event) => {
      const best = meant(drawing, event, points, counts);
      if (best >= 0 && best !== current) tell(best);
    };
    drawing.addEventListener("pointermove", at);
    drawing.addEventListener("pointerdown", at);
    drawing.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      let next = current < 0 && step < 0 ? 0 : current;
      for (let tried = 0; tried < points.length; tried++) {
        next = (next + step + points.length) % points.length;
        if (next >= 0 && counts(next)) return tell(next);
      }
    });
    const choose = (kind) => {
      alone = alone === kind ? null : kind;
      drawing.classList.toggle("alone", alone !== null);
      for (const group of drawing.querySelectorAll("g.kind")) group.classList.toggle("chosen", Number(group.dataset.kind) === alone);
      for (const button of buttons) button.setAttribute("aria-pressed", String(Number(button.dataset.kind) === alone));
    };
    for (const button of buttons) button.addEventListener("click", () => choose(Number(button.dataset.kind)));
  }

  const data = document.getElementById("cells");
  if (!data) return;
  const { classes, cells, counts, files, sheet } = JSON.parse(data.textContent);
  const dialog = document.getElementById("behind");
  const names = (key) => key.split("-").map((number) => apart(classes[Number(number)]));
  const words = (key) => {
    const [truth, answer] = names(key);
    return truth === answer ? `${truth}, rightly called so` : `${truth}, taken for ${answer}`;
  };
  const show = (key) => {
    const pictures = cells[key] || [];
    document.getElementById("behind-title").textContent = `${counts[key]} \u00d7 ${words(key)}`;
    document.getElementById("behind-note").textContent =
      pictures.length < counts[key]
        ? `The ${pictures.length} surest of ${counts[key]}. Below each, how sure it was and which picture of the set it is.`
        : "The surest first. Below each, how sure it was and which picture of the set it is.";
    const strip = document.getElementById("behind-pictures");
    strip.replaceChildren(
      ...pictures.map(([place, index, sure]) => {
        const box = document.createElement("span");
        const picture = pictured("pictures", sheet, place, words(key));
        const caption = document.createElement("small");
        caption.textContent = named(`${sure}\nno. ${index}`, files[index], "\n");
        box.append(picture, caption);
        return box;
      }),
    );
    dialog.showModal();
  };
  document.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-cell]");
    if (cell) show(cell.dataset.cell);
    else if (event.target === dialog) dialog.close();
  });
  const under = document.getElementById("under");
  if (!under) return;
  const dots = document.querySelector(".dots");
  const fields = [...dots.querySelectorAll("[data-cell]")]; // row by row
  const middles = fields.map((field) => ["x", "y"].map((side) => field[side].baseVal.value + field.width.baseVal.value / 2));
  let current = -1;
  let byMouse = true;
  const pointed = (event) => (byMouse ? fields.indexOf(event.target) : meant(dots, event, middles)); // a finger hides its field
  const point = (number) => {
    fields[current]?.classList.remove("current");
    current = number;
    fields[current].classList.add("current");
    const key = fields[current].dataset.cell;
    under.textContent = `${counts[key]} \u00d7 ${words(key)}`;
  };
  const inColumn = (step) => {
    const [, column] = fields[current].dataset.cell.split("-");
    for (let next = current + step; next in fields; next += step) if (fields[next].dataset.cell.split("-")[1] === column) return next;
    return current;
  };
  for (const kind of ["pointermove", "pointerdown"])
    dots.addEventListener(kind, (event) => {
      byMouse = event.pointerType === "mouse"; // which not every browser tells of a click
      const number = pointed(event);
      if (number >= 0 && number !== current) point(number);
    });
  dots.addEventListener("click", (event) => {
    const number = pointed(event);
    event.stopPropagation(); // or what lies under the pointer would be opened as well
    if (number >= 0) show(fields[number].dataset.cell);
  });
  dots.addEventListener("keydown", (event) => {
    const moves = {
      ArrowRight: () => point(Math.min(current + 1, fields.length - 1)),
      ArrowLeft: () => point(Math.max(current - 1, 0)),
      ArrowDown: () => point(current < 0 ? 0 : inColumn(1)),
      ArrowUp: () => point(current < 0 ? 0 : inColumn(-1)),
      Enter: () => current >= 0 && show(fields[current].dataset.cell),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
    fields[current]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
})();
