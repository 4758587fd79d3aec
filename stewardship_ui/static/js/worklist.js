// The work list by keys: j k row, Enter opens, x selects, Shift+x a range, * all that match. The place is kept for whoever comes back.
import { answer } from "./keys.js";
import { announce } from "./live.js";

const KEPT = "concord:place";
let at = 0;
let anchor = 0;

const rows = () => [...document.querySelectorAll(".tasks tbody tr")];
const form = () => document.getElementById("list");

answer(pressed);
document.addEventListener("click", clicked);
document.addEventListener("change", (event) => event.target.name === "task" && ticked());
document.addEventListener("htmx:load", comeBack);

function pressed(key) {
  if (key === "j" || key === "ArrowDown") return move(at + 1);
  if (key === "k" || key === "ArrowUp") return move(at - 1);
  if (key === "Enter") return open();
  if (key === "x") return select(at, at);
  if (key === "Shift+x") return select(anchor, at);
  if (key === "Escape") return clear();
  return false;
}

function move(to) {
  const all = rows();
  if (all.length === 0) return true;
  if (!document.activeElement.closest(".tasks")) to = at;
  at = Math.min(Math.max(to, 0), all.length - 1);
  for (const each of all) each.tabIndex = -1;
  all[at].tabIndex = 0;
  all[at].focus({ preventScroll: false });
  return true;
}

function open() {
  const row = document.activeElement.closest(".tasks tbody tr") ?? rows()[at];
  if (row === undefined) return true;
  keep(row);
  row.querySelector("th a").click();
  return true;
}

function select(from, to) {
  const all = rows();
  const on = from !== to || !all[to].querySelector("[name=task]").checked;
  for (const each of all.slice(Math.min(from, to), Math.max(from, to) + 1)) each.querySelector("[name=task]").checked = on;
  anchor = to;
  return ticked();
}

function clear() {
  for (const each of form().querySelectorAll("[name=task]")) each.checked = false;
  return ticked();
}

function all() {
  for (const each of form().querySelectorAll("[name=task]")) each.checked = true;
  form().elements.all.value = "yes";
  tell();
}

/** Rows one by one: what stands on other pages is no longer meant, so that the count is what will be acted on. */
function ticked() {
  form().elements.all.value = "";
  return tell();
}

function tell() {
  const { total, most } = form().dataset;
  const all = Boolean(form().elements.all.value);
  const count = all ? Math.min(Number(total), Number(most)) : form().querySelectorAll("[name=task]:checked").length;
  for (const each of rows()) each.classList.toggle("chosen", each.querySelector("[name=task]").checked);
  const first = all && count < Number(total) ? `The first ${count.toLocaleString("en")} of ${Number(total).toLocaleString("en")}` : count.toLocaleString("en");
  const said = count ? `${first} selected` : "Nothing selected";
  document.querySelector("[data-selected]").textContent = said;
  announce(said);
  return true;
}

/** Facets, sorts and pages swap the list alone; the address follows. */
function clicked(event) {
  const link = event.target.closest("#worklist a[data-part]");
  if (event.target.closest("[data-all]")) return all();
  if (event.target.closest(".tasks th a")) keep(event.target.closest("tr"));
  if (link === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  at = 0;
  htmx.ajax("GET", link.href, { target: "#worklist", swap: "innerHTML" }).then(() => history.pushState({}, "", link.href));
}

addEventListener("popstate", () => location.reload());

/** Row and scroll, by the id of the task: nothing of anybody. */
function keep(row) {
  sessionStorage.setItem(KEPT, JSON.stringify({ list: location.search, task: row.dataset.task, top: scrollY }));
}

function comeBack() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  if (kept === null || kept.list !== location.search) return;
  sessionStorage.removeItem(KEPT);
  const found = rows().findIndex((each) => each.dataset.task === kept.task);
  if (found >= 0) {
    document.body.focus();
    at = found;
    rows()[at].focus({ preventScroll: true });
  }
  scrollTo({ top: kept.top });
}
