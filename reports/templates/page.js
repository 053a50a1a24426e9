// Tables become sortable and filterable. Without this script they are the same tables, in the order they came in.
"use strict";

function key(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.v;
  if (value === undefined) return cell.textContent.trim().toLowerCase();
  return value === "" ? null : value === "inf" ? Infinity : Number(value);
}

function sort(table, column, direction) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row, at) => [key(row, column), Number(row.dataset.at), row]);
  rows.sort((one, other) => {
    const [a, b] = [one[0], other[0]];
    if (a === b) return one[1] - other[1];
    if (a === null || a === "") return 1; // an empty cell stands last, whichever way
    if (b === null || b === "") return -1;
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1;
    return direction === "ascending" ? order : -order;
  });
  body.append(...rows.map((entry) => entry[2]));
}

function sortable(table) {
  Array.from(table.tBodies[0].rows).forEach((row, at) => { row.dataset.at = at; });
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      const direction = head.getAttribute("aria-sort") === first ? second : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", direction);
      sort(table, column, direction);
    });
  });
}

function filterable(table) {
  const rows = Array.from(table.tBodies[0].rows);
  const texts = rows.map((row) => Array.from(row.cells, (cell) => cell.textContent.trim()).join(" ").toLowerCase());
  const bar = document.createElement("div");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const shown = document.createElement("output");
  bar.className = "filter";
  input.type = "search";
  input.id = "filter-" + table.id;
  input.placeholder = "words that a row must hold";
  label.htmlFor = input.id;
  label.textContent = "Filter";
  bar.append(label, input, shown);
  table.parentElement.before(bar);
  const tell = (count) => { shown.textContent = count + " of " + rows.length + " rows"; };
  tell(rows.length);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, at) => {
      row.hidden = !words.every((word) => texts[at].includes(word));
      count += row.hidden ? 0 : 1;
    });
    tell(count);
  });
}

document.querySelectorAll("table[data-sortable]").forEach(sortable);
document.querySelectorAll("table[data-filterable]").forEach(filterable);
addEventListener("beforeprint", () => {
  document.querySelectorAll("details:not([open])").forEach((closed) => { closed.open = true; closed.dataset.printed = ""; });
});
addEventListener("afterprint", () => {
  document.querySelectorAll("details[data-printed]").forEach((opened) => { opened.open = false; delete opened.dataset.printed; });
});
