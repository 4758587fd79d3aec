// A cluster parted by keys: j k row, x select, a digit puts the selected rows (or this one) into a group, 0 a new one, u the suggestion.
import { answer } from "./keys.js";
import { announce } from "./live.js";

const GROUPS_MAX = 9;
const rows = () => [...document.querySelectorAll("[data-cluster] tr[data-record]")];
const editable = () => document.querySelector("[data-cluster] select") !== null;

export function listen() {
  answer(pressed);
  document.addEventListener("click", (event) => event.target.closest("[data-split]") && doing(event.target.closest("[data-split]").dataset.split));
  document.addEventListener("change", (event) => event.target.closest("[data-cluster]") && tell());
}

function pressed(key) {
  if (!editable()) return false;
  if (key === "j" || key === "k" || key === "ArrowDown" || key === "ArrowUp") return move(key === "j" || key === "ArrowDown" ? 1 : -1);
  if (key === "x") return select();
  if (/^[1-9]$/.test(key)) return put(key);
  if (key === "0") return doing("new");
  if (key === "u") return doing("suggested");
  if (key === "Enter") return document.querySelector("[data-verb][data-key=Enter]")?.click(), true;
  return false;
}

const at = () => Math.max(0, rows().findIndex((each) => each.tabIndex === 0));

function move(by) {
  const all = rows();
  const next = document.activeElement.closest("[data-cluster]") ? Math.min(Math.max(at() + by, 0), all.length - 1) : at();
  for (const each of all) each.tabIndex = -1;
  all[next].tabIndex = 0;
  all[next].focus();
  return true;
}

function select() {
  const here = rows()[at()];
  here.setAttribute("aria-selected", String(here.getAttribute("aria-selected") !== "true"));
  return true;
}

function put(group) {
  const chosen = rows().filter((each) => each.getAttribute("aria-selected") === "true");
  for (const each of chosen.length ? chosen : [rows()[at()]]) {
    each.querySelector("select").value = group;
    each.setAttribute("aria-selected", "false");
  }
  tell();
  return true;
}

function doing(what) {
  if (what === "suggested") {
    for (const each of rows()) each.querySelector("select").value = each.dataset.suggested;
    tell();
    return true;
  }
  const used = new Set(rows().map((each) => each.querySelector("select").value));
  const free = Array.from({ length: GROUPS_MAX }, (_, place) => String(place + 1)).find((each) => !used.has(each));
  return free ? put(free) : (announce("Nine groups at most"), true);
}

function tell() {
  const counts = new Map();
  for (const each of rows()) {
    const group = each.querySelector("select").value;
    each.dataset.group = group;
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const said = [...counts].sort().map(([group, count]) => `group ${group}: ${count} ${count === 1 ? "record" : "records"}`).join("; ");
  document.querySelector("[data-result]").textContent = said;
  announce(said);
}
