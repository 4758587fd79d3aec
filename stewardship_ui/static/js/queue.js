// Decisions in order, one request in flight. A verb belongs to the item that was on the screen at keydown: it takes that form with its
// version and its key, and the next item, delivered ahead, is there before the answer. What the server refuses comes back with the reason.
import { answer } from "./keys.js";
import { announce } from "./live.js";

const AHEAD = 3;
const AHEAD_MAX = 12;
const QUICK_MS = 1500;
const waiting = [];
const sent = new Map();
const shown = [];
let busy = false;
let shownAt = 0;
let begun = null;
let lately = [];

const byId = (id) => document.getElementById(id);
const desk = () => byId("desk");
const floor = () => Number(desk().dataset.floor ?? 120);

export function listen() {
  answer(pressed);
  document.addEventListener("click", clicked);
  document.addEventListener("htmx:beforeSwap", putBack);
  document.addEventListener("htmx:afterSwap", (event) => event.detail.target.id === "item" && focus());
}

/** Whenever an item came in by itself: it is mine from now on, and those after it are asked for. */
export function begin() {
  const item = byId("item");
  if (item === null || begun === item) return;
  begun = item;
  shownAt = performance.now();
  hold(item);
  if (byId("ahead").childElementCount === 0) topUp();
}

function hold(item) {
  if (item.querySelector("#verdict")) htmx.ajax("POST", item.dataset.claim, { source: "#claim", target: "#claim", swap: "outerHTML", values: { version: item.dataset.version } });
}

function pressed(key, event) {
  const button = [...(byId("item")?.querySelectorAll("[data-verb]") ?? [])].find((each) => each.dataset.key === key);
  if (key === "z") return undo();
  if (/^[1-9]$/.test(key) && digit(key)) return true;
  if (key === "j" && !event?.target?.closest("[data-cluster]")) return skip();
  if (button === undefined || key === "Enter") return false;
  decide(button);
  return true;
}

function clicked(event) {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    event.preventDefault();
    navigator.clipboard?.writeText(copy.href).then(() => announce("Link copied"));
  }
  const toggled = event.target.closest("[data-verb], [data-undo]");
  if (toggled === null || event.detail === 0 && event.isTrusted === false && toggled.dataset.undo === undefined && !toggled.dataset.verb) return;
  event.preventDefault();
  if (toggled.dataset.undo !== undefined) undo();
  else decide(toggled);
}

/** A digit chooses the reason, and where a verb waits for one, settles it. */
function digit(key) {
  const open = document.querySelector(`details[open] [data-digits] [value="${key}"]`);
  if (open) return open.click(), true;
  const choice = byId("item").querySelector(`[data-reasons] [value="${key}"]`);
  if (choice === null) return false;
  choice.checked = true;
  const wants = byId("item").querySelector("[data-verb][data-waits]");
  if (wants) decide(wants);
  return true;
}

function decide(button) {
  const item = byId("item");
  if (item.classList.contains("sent")) return announce("Wait: the next item is not here yet");
  if (performance.now() - shownAt < floor()) return announce("Look first: this item has only just appeared");
  const reasons = item.querySelector("[data-reasons]");
  if (reasons && button.classList.contains("main") && !reasons.querySelector(":checked")) {
    button.dataset.waits = "";
    reasons.classList.add("wanted");
    return announce("Something speaks against it: press the digit of your reason");
  }
  const form = item.querySelector("#verdict");
  const values = Object.fromEntries(new FormData(form));
  values[button.name] = button.value;
  push({ url: form.getAttribute("action"), values, item, said: button.dataset.done });
  lately = [...lately.filter((at) => performance.now() - at < QUICK_MS), performance.now()];
  next(`${button.dataset.done}. Next: `);
}

function push(act) {
  waiting.push(act);
  sent.set(act.values.idempotency_key, act);
  send();
}

async function send() {
  if (busy || waiting.length === 0) return;
  busy = true;
  const act = waiting.shift();
  const values = { ...act.values, ...held(act.undo) };
  try {
    await htmx.ajax("POST", act.url, { source: "#ahead", target: "#ahead", swap: "beforeend", values });
    settle(act);
  } catch {
    comeBack(act, "Not sent: the server cannot be reached. Nothing was stored; decide again.");
  }
  busy = false;
  send();
}

/** What this page holds already, so that the answer brings what comes after it. */
function held() {
  const ids = [byId("item"), ...byId("ahead").children].map((each) => each?.dataset?.task).filter(Boolean);
  const deciding = waiting.map((each) => each.item?.dataset.task).filter(Boolean);
  const want = Math.max(0, (lately.length > 3 ? AHEAD_MAX : AHEAD) - byId("ahead").childElementCount);
  return { held: [...new Set([...ids, ...deciding])].join(","), want, list: desk().dataset.list, shown: shown.splice(0).join(",") };
}

function settle(act) {
  sent.delete(act.values.idempotency_key);
  for (const template of [...byId("ahead").querySelectorAll("template[data-tray], template[data-said]")]) {
    if (template.dataset.said && byId("item").classList.contains("sent")) announce(template.dataset.said);
    if (template.dataset.tray !== undefined) byId("tray").replaceWith(template.content.cloneNode(true));
    template.remove();
  }
  const seen = new Set([byId("item").dataset.task]);
  for (const template of [...byId("ahead").children]) {
    if (seen.has(template.dataset.task)) template.remove();
    seen.add(template.dataset.task);
  }
  if (byId("item").classList.contains("sent") && byId("item") === act.item) {
    if (byId("ahead").childElementCount > 0) next("");
    else location.assign(document.querySelector(".crumbs a").href);
  }
}

function topUp() {
  push({ url: desk().dataset.ahead, values: { idempotency_key: "" }, item: null });
}

function next(said) {
  const template = byId("ahead").querySelector("template[data-task]");
  if (template === null) return byId("item").classList.add("sent");
  const coming = template.content.firstElementChild.cloneNode(true);
  byId("item").replaceWith(coming);
  begun = coming;
  shownAt = performance.now();
  shown.push(template.dataset.task);
  history.replaceState(null, "", template.dataset.url);
  template.remove();
  htmx.process(coming);
  focus();
  announce(said + coming.querySelector("h1").textContent.trim());
}

/** On without deciding; the item stays where it is in the list. */
function skip() {
  if (byId("ahead").querySelector("template[data-task]") === null) return announce("No further item is here"), true;
  next("Next: ");
  topUp();
  return true;
}

function focus() {
  byId("item").querySelector("h1").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

function undo() {
  if (byId("tray").querySelector("[data-undo]") === null && sent.size === 0) return announce("Nothing of yours to undo"), true;
  push({ url: byId("tray").dataset.url, values: { idempotency_key: crypto.randomUUID() }, item: byId("item"), undo: true });
  return true;
}

/** Another item takes the place of the one on the screen: that one comes again afterwards. */
function putBack(event) {
  const current = byId("item");
  const other = event.detail.xhr.getResponseHeader("HX-Retarget") === "#item";
  if (!other || event.detail.serverResponse.includes(`data-task="${current.dataset.task}"`)) return;
  keep(current);
}

function keep(item) {
  const template = document.createElement("template");
  template.dataset.task = item.dataset.task;
  template.dataset.url = location.pathname + location.search;
  item.classList.remove("sent");
  template.content.append(item.cloneNode(true));
  byId("ahead").prepend(template);
}

function comeBack(act, why) {
  if (act.item === null) return announce(why);
  if (byId("item") !== act.item) {
    keep(byId("item"));
    byId("item").replaceWith(act.item);
  }
  act.item.classList.remove("sent");
  begun = act.item;
  shownAt = performance.now();
  announce(why);
}
