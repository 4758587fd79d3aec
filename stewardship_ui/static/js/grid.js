// The evidence grid by keys: rows and sides by arrows, Enter pins the value of a side, = folds what is equal, r reveals a value.
import { answer } from "./keys.js";
import { announce } from "./live.js";

let grid = null;
let row = -1;
let column = "a";

const table = () => document.querySelector("[data-grid]");
const rows = () => [...table().querySelectorAll("tbody tr")].filter((each) => each.checkVisibility());

export function listen() {
  answer(pressed);
  document.addEventListener("click", (event) => event.target.closest("[data-fold]") && fold());
  document.addEventListener("change", (event) => event.target.closest(".golden select") && mark(event.target));
}

function pressed(key) {
  if (table() === null) return toggle(key);
  if (table() !== grid) [grid, row] = [table(), -1]; // a new item begins above its first row; what else arrives on the page changes nothing
  if (key === "ArrowDown" || key === "ArrowUp") return move(key === "ArrowDown" ? 1 : -1);
  if (key === "ArrowLeft" || key === "ArrowRight") return side(key === "ArrowLeft" ? "a" : "b");
  if (key === "Enter" && row >= 0) return pin();
  if (key === "b") return blind();
  if (key === "r") return reveal();
  return toggle(key);
}

function toggle(key) {
  const part = document.querySelector(`#item [data-toggle="${CSS.escape(key)}"]`);
  if (part === null) return false;
  part.open = !part.open;
  (part.open ? part.querySelector("button, select, input:not([type=hidden])") : part.querySelector("summary"))?.focus();
  if (part.open && part.querySelector("[data-digits]")) part.querySelector("summary").focus();
  return true;
}

function move(by) {
  const all = rows();
  row = Math.min(Math.max(row + by, 0), all.length - 1);
  for (const each of all) each.tabIndex = -1;
  all[row].tabIndex = 0;
  all[row].focus();
  return side(column);
}

function side(which) {
  column = which;
  for (const each of table().querySelectorAll("[data-at]")) delete each.dataset.at;
  const cell = rows()[row]?.querySelector(`[data-side="${which}"]`);
  if (cell) cell.dataset.at = "";
  return true;
}

/** The golden value is this side's: shown at once, pinned with the decision. */
function pin() {
  const select = rows()[row].querySelector(".golden select");
  if (select === null) return announce("There is nothing to choose in this row"), true;
  const text = rows()[row].querySelector(`[data-side="${column}"]`).textContent.trim();
  const found = [...select.options].slice(1).find((each) => each.text.startsWith(`pin ${text} `)) ?? select.options[column === "a" ? 1 : select.options.length - 1];
  select.value = select.value === found.value ? "" : found.value;
  mark(select);
  announce(select.value ? `Pinned: ${found.text.slice(4)}` : "Not pinned");
  return true;
}

const mark = (select) => select.closest("td").classList.toggle("pinned", select.value !== "");

function fold() {
  const isOpen = table().classList.toggle("is-open");
  document.querySelector("[data-fold]").setAttribute("aria-expanded", String(isOpen));
}

function blind() {
  announce(document.getElementById("item").classList.toggle("blind") ? "Weights covered" : "Weights shown");
  return true;
}

function reveal() {
  const target = rows()[row];
  const form = document.querySelector("[data-reveal]");
  if (form === null) return announce("Nothing on this page can be revealed"), true;
  if (target?.dataset.covered === undefined) return announce("Choose a masked row with the arrows first"), true;
  const before = target.cloneNode(true);
  htmx.ajax("POST", form.dataset.reveal, { source: target, target, swap: "outerHTML", values: { attribute: target.dataset.row, candidate: document.querySelector("[name=candidate]")?.value ?? "" } }).then(() => {
    const now = document.querySelector(`tr[data-row="${CSS.escape(before.dataset.row)}"].revealed-row`);
    if (now) setTimeout(() => now.isConnected && now.replaceWith(before), Number(now.dataset.seconds) * 1000);
    rows()[row]?.focus();
  });
  return true;
}
