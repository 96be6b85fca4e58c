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

  const data = document.getElementById("cells");
  if (!data) return;
  const { classes, cells, counts, sheet } = JSON.parse(data.textContent);
  const dialog = document.getElementById("behind");
  const names = (key) => key.split("-").map((number) => classes[Number(number)]);
  const words = (key) => {
    const [truth, answer] = names(key);
    return truth === answer ? `${truth}, rightly called so` : `${truth}, taken for ${answer}`;
  };
  const show = (key) => {
    const pictures = cells[key] || [];
    document.getElementById("behind-title").textContent = `${counts[key]} \u00d7 ${words(key)}`;
    document.getElementById("behind-note").textContent =
      pictures.length < counts[key]
        ? `The ${pictures.length} surest of ${counts[key]}. Below each, how sure it was and the picture's number in the set.`
        : "The surest first. Below each, how sure it was and the picture's number in the set.";
    const strip = document.getElementById("behind-pictures");
    strip.replaceChildren(
      ...pictures.map(([place, index, sure]) => {
        const box = document.createElement("span");
        const picture = document.createElement("i");
        picture.className = "pic pictures";
        picture.setAttribute("role", "img");
        picture.setAttribute("aria-label", words(key));
        picture.style.setProperty("--x", place % sheet.columns);
        picture.style.setProperty("--y", Math.floor(place / sheet.columns));
        const caption = document.createElement("small");
        caption.textContent = `${sure} %\nno. ${index}`;
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
  if (under)
    document.querySelector(".dots").addEventListener("pointerover", (event) => {
      const key = event.target.dataset.cell;
      if (key) under.textContent = `${counts[key]} \u00d7 ${words(key)}`;
    });
})();
