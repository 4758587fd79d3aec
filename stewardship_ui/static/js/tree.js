// A table of a tree becomes a treegrid: arrows walk, open and close, letters jump, Enter opens. Without this it is links in a table.
import { answer } from "./keys.js";

const table = document.getElementById("treegrid");
const rows = table ? [...table.tBodies[0].rows] : [];
const level = (row) => Number(row.dataset.level);
const shown = () => rows.filter((row) => !row.hidden);
let typed = "";
let typedAt = 0;

function prepare() {
  table.setAttribute("role", "treegrid");
  for (const row of rows) {
    row.setAttribute("role", "row");
    row.setAttribute("aria-level", row.dataset.level);
    if (row.dataset.open) row.setAttribute("aria-expanded", String(row.dataset.open === "yes"));
    row.tabIndex = -1;
  }
  (rows.find((row) => row.classList.contains("chosen")) ?? rows[0]).tabIndex = 0;
  table.addEventListener("focusin", (event) => rove(event.target.closest("tr")));
}

function rove(row) {
  if (!rows.includes(row)) return;
  for (const each of rows) each.tabIndex = each === row ? 0 : -1;
}

function below(row) {
  const at = rows.indexOf(row);
  const end = rows.findIndex((each, place) => place > at && level(each) <= level(row));
  return rows.slice(at + 1, end === -1 ? rows.length : end);
}

function fold(row, open) {
  row.setAttribute("aria-expanded", String(open));
  let closedAt = Infinity;
  for (const each of below(row)) {
    if (level(each) <= closedAt) closedAt = Infinity;
    each.hidden = !open || closedAt !== Infinity;
    if (each.getAttribute("aria-expanded") === "false" && closedAt === Infinity) closedAt = level(each);
  }
  row.querySelector("span.more")?.replaceChildren(open ? "▾" : "▸");
}

function across(row, way) {
  const is = row.getAttribute("aria-expanded");
  if (way > 0 && row.dataset.open === "no") row.querySelector("a.more").click();
  else if (way > 0 && is === "false") fold(row, true);
  else if (way > 0) return below(row)[0] ?? row;
  else if (is === "true" && row.dataset.open === "yes") fold(row, false);
  else return rows.slice(0, rows.indexOf(row)).reverse().find((each) => level(each) < level(row)) ?? row;
  return row;
}

function jump(key) {
  typed = performance.now() - typedAt < 800 ? typed + key : key;
  typedAt = performance.now();
  return shown().find((row) => row.querySelector(".node").textContent.toLowerCase().startsWith(typed));
}

answer((key, event) => {
  const row = event?.target.closest?.("#treegrid tbody tr");
  if (!row) return false;
  const list = shown();
  const at = list.indexOf(row);
  const moves = { ArrowDown: () => list[at + 1], ArrowUp: () => list[at - 1], ArrowRight: () => across(row, 1), ArrowLeft: () => across(row, -1), j: () => list[at + 1], k: () => list[at - 1] };
  if (key === "Enter" && event.target === row) return row.querySelector(".node").click(), true;
  if (moves[key]) return (moves[key]() ?? row).focus(), true;
  if (key.length > 1 || document.querySelector(`main [data-key="${CSS.escape(key)}"]`)) return false;
  const found = jump(key);
  found?.focus();
  return found !== undefined;
});

if (rows.length) prepare();
