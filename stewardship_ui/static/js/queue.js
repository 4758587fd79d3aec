// Decisions in order, one request in flight. A verb belongs to the item that was on the screen at keydown: it takes that form with its
// version and its key, and the next item, delivered ahead, is there before the answer. What the server refuses comes back with the reason.
import { age, arrived, bringBack, byId, focus, keep, next, takeShown, templates, tidy } from "./ahead.js";
import { answer } from "./keys.js";
import { announce } from "./live.js";

const [AHEAD, AHEAD_MAX] = [3, 12];
const QUICK_MS = 1500;
const FLOOR_MS = 120;
const waiting = [];
const decided = new Set();
let busy = false;
let told = {}; // what the request in flight came to: whether an item came instead, or why it was refused
let lately = [];

const desk = () => byId("desk");
export function listen() {
  answer(pressed);
  document.addEventListener("click", clicked);
  document.addEventListener("htmx:beforeSwap", makeWay);
  document.addEventListener("concord:refused", (event) => (told.refusal = event.detail.value));
  document.addEventListener("htmx:afterSwap", (event) => event.detail.target.id === "item" && focus());
}

export function begin() {
  if (arrived() && templates().length === 0) topUp();
}

function pressed(key, event) {
  const button = [...byId("item").querySelectorAll("[data-verb]")].find((each) => each.dataset.key === key);
  if (key === "z") return undo();
  if (/^[1-9]$/.test(key) && digit(key)) return true;
  if (key === "j" && !event?.target?.closest("[data-cluster]")) return skip();
  if (button === undefined || key === "Enter") return false;
  decide(button);
  return true;
}

function clicked(event) {
  const pushed = event.target.closest("[data-verb], [data-undo]");
  if (pushed === null) return;
  event.preventDefault();
  if (event.detail > 1) return; // the second click of a double click decides nothing
  if (pushed.dataset.undo !== undefined) undo();
  else decide(pushed);
}

/** A digit chooses the reason and, where a verb waits for one, settles it. */
function digit(key) {
  const open = document.querySelector(`#item details[open] [data-digits] [value="${key}"]`);
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
  if (age() < Number(desk().dataset.floor ?? FLOOR_MS)) return announce("Look first: this item has only just appeared");
  if (wantsReason(item, button)) return announce("Something speaks against it: press the digit of your reason");
  const form = item.querySelector("#verdict");
  const values = { ...Object.fromEntries(new FormData(form)), [button.name]: button.value };
  decided.add(item.dataset.task);
  lately = [...lately.filter((at) => performance.now() - at < QUICK_MS), performance.now()];
  const done = form.elements.propose?.checked ? "Proposed" : button.dataset.done;
  next(`${done}. Next: `);
  push({ url: form.getAttribute("action"), values, item, said: `${done}.` });
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
  told = {};
  try {
    await htmx.ajax("POST", act.url, { source: "#ahead", target: "#ahead", swap: "beforeend", values: { ...act.values, ...held() } });
    if (told.isItem || byId("ahead").querySelector("template[data-tray]")) settle(act);
    else failed(act, told.refusal ?? "The server did not answer as it should. Nothing was stored; decide again.");
  } catch {
    failed(act, "Not sent: the server cannot be reached. Nothing was stored; decide again.");
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
  const said = byId("ahead").querySelector("template[data-said]")?.dataset.said;
  const tray = byId("ahead").querySelector("template[data-tray]");
  if (tray) byId("tray").replaceWith(tray.content.cloneNode(true));
  for (const each of byId("ahead").querySelectorAll("template:not([data-task])")) each.remove();
  tidy();
  if (said && said !== act.said) announce(said);
  if (!byId("item").classList.contains("sent") || byId("item") !== act.item) return;
  if (templates().length > 0) next(said ? `${said} Next: ` : "Next: ");
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

function undo() {
  if (byId("tray").querySelector("[data-undo]") === null && decided.size === 0) return announce("Nothing of yours to undo"), true;
  push({ url: byId("tray").dataset.url, values: {}, item: null });
  return true;
}

/** An item that the server sends takes the place of the one on the screen: that one comes again afterwards. */
function makeWay(event) {
  const current = byId("item");
  if (event.detail.xhr.getResponseHeader("HX-Retarget") !== "#item" || current === null) return;
  told.isItem = true;
  if (!event.detail.serverResponse.includes(`data-task="${current.dataset.task}"`)) keep(current);
}

function failed(act, why) {
  decided.delete(act.item?.dataset.task);
  if (act.item !== null) bringBack(act.item);
  announce(why);
}
