// Decisions in order, one request in flight. A verb belongs to the item that was on the screen at keydown: it takes that form with its
// version and its key, and the next item, delivered ahead, is there before the answer. What the server refuses comes back with the reason.
import { age, arrived, byId, focus, keep, next, place, takeShown, templates, tidy } from "./ahead.js";
import { answer } from "./keys.js";
import { announce } from "./live.js";
import { redo, undo } from "./tray.js";

const AHEAD = 3;
const AHEAD_MAX = 12;
const QUICK_MS = 1500;
const FLOOR_MS = 120;
const waiting = [];
const decided = new Set();
let [busy, lately] = [false, []];

const desk = () => byId("desk");
export function listen() {
  answer(pressed);
  document.addEventListener("click", clicked);
  document.addEventListener("htmx:beforeSwap", makeWay);
  document.addEventListener("htmx:afterSwap", (event) => event.detail.target.id === "item" && focus());
}

export function begin() {
  if (arrived() && templates().length === 0) topUp();
}

function pressed(key, event) {
  const button = [...byId("item").querySelectorAll("[data-verb]")].find((each) => each.dataset.key === key);
  if (key === "z" || key === "Shift+z") return back(key === "z" ? undo : redo);
  if (/^[1-9]$/.test(key) && digit(key, button)) return true;
  if (key === "j" && !event?.target?.closest("[data-cluster]")) return skip();
  if (button === undefined || key === "Enter") return false;
  decide(button);
  return true;
}

function clicked(event) {
  const copy = event.target.closest("[data-copy]");
  const pushed = event.target.closest("[data-verb], [data-undo], [data-redo]");
  if (copy === null && pushed === null) return;
  event.preventDefault();
  if (copy) navigator.clipboard?.writeText(copy.href).then(() => announce("Link copied"));
  else if (pushed.dataset.verb !== undefined) decide(pushed);
  else back(pushed.dataset.undo === undefined ? redo : undo);
}

/** A digit chooses the reason and, where a verb waits for one, settles it; else it is the key of a button that has it. */
function digit(key, button) {
  const open = document.querySelector(`#item details[open] [data-digits] [value="${key}"]`);
  if (open) return open.click(), true;
  const choice = byId("item").querySelector(`[data-reasons] [value="${key}"]`);
  const wants = byId("item").querySelector("[data-verb][data-waits]");
  if (choice === null || (button && !wants)) return false;
  choice.checked = true;
  if (wants) decide(wants);
  return true;
}

function decide(button) {
  const item = byId("item");
  if (item.classList.contains("sent")) return announce("Wait: the next item is not here yet");
  if (age() < Number(desk().dataset.floor ?? FLOOR_MS)) return announce("Look first: this item has only just appeared");
  if (wantsReason(item, button)) return announce("Something speaks against it: press the digit of your reason");
  const form = item.querySelector("#verdict");
  const values = { ...Object.fromEntries(new FormData(form)), [button.name]: button.value };
  decided.add(item.dataset.task);
  lately = [...lately.filter((at) => performance.now() - at < QUICK_MS), performance.now()];
  next(`${button.dataset.done}. Next: `);
  push({ url: form.getAttribute("action"), values, item });
}

function wantsReason(item, button) {
  const reasons = item.querySelector("[data-reasons]");
  if (reasons === null || !button.classList.contains("main") || reasons.querySelector(":checked")) return false;
  button.dataset.waits = "";
  reasons.classList.add("wanted");
  return true;
}

function push(act) {
  waiting.push(act);
  send();
}

async function send() {
  if (busy || waiting.length === 0) return;
  busy = true;
  const act = waiting.shift();
  try {
    await htmx.ajax("POST", act.url, { source: "#ahead", target: "#ahead", swap: "beforeend", values: { ...act.values, ...held() } });
    settle(act);
  } catch {
    comeBack(act);
  }
  busy = false;
  send();
}

/** What this page holds already, and what it has decided, so that the answer brings what comes after. */
function held() {
  const ids = [byId("item"), ...templates()].map((each) => each.dataset.task);
  const want = Math.max(0, (lately.length > 3 ? AHEAD_MAX : AHEAD) - templates().length);
  return { held: [...new Set([...ids, ...waiting.map((each) => each.item?.dataset.task).filter(Boolean)])].join(","), want, list: desk().dataset.list, shown: takeShown() };
}

function settle(act) {
  const told = byId("ahead").querySelector("template[data-said]");
  const tray = byId("ahead").querySelector("template[data-tray]");
  if (tray) byId("tray").replaceWith(tray.content.cloneNode(true));
  for (const each of byId("ahead").querySelectorAll("template:not([data-task])")) each.remove();
  tidy();
  if (!byId("item").classList.contains("sent") || byId("item") !== act.item) return;
  if (templates().length > 0) next(told ? `${told.dataset.said} Next: ` : "Next: ");
  else location.assign(document.querySelector(".crumbs a").href);
}

const topUp = () => push({ url: desk().dataset.ahead, values: {}, item: null });

/** On without deciding; the item stays where it is in the list. */
function skip() {
  if (templates().length === 0) return announce("No further item is here"), true;
  next("Next: ");
  topUp();
  return true;
}

/** Undo or redo, then what can be taken back and said again. */
function back(how) {
  if (how(push, decided.size > 0)) topUp();
  return true;
}

/** An item that the server sends takes the place of the one on the screen: that one comes again afterwards. */
function makeWay(event) {
  const current = byId("item");
  if (event.detail.xhr.getResponseHeader("HX-Retarget") !== "#item" || current === null) return;
  if (!event.detail.serverResponse.includes(`data-task="${current.dataset.task}"`)) keep(current);
}

function comeBack(act) {
  const why = "Not sent: the server cannot be reached. Nothing was stored; decide again.";
  if (act.item === null) return announce(why);
  if (byId("item") !== act.item) {
    keep(byId("item"));
    place(act.item);
  }
  act.item.classList.remove("sent");
  announce(why);
}
