// One handler for every key. Never inside an input, with Ctrl, Alt or Meta, on repeat, or while a character is being composed.
// What a key does stands on the page: data-key on a button or link, data-go on a place. A page's own part may answer first (`answer`).
import { announce } from "./live.js";

const SEQUENCE_MS = 1000;
const answerers = [];
let goingUntil = 0;

/** A page's own part: answer(key, event) is true where the key was its own. The last to come is asked first. */
export function answer(ask) {
  answerers.unshift(ask);
  return () => answerers.splice(answerers.indexOf(ask), 1);
}

export function listen() {
  document.addEventListener("keydown", pressed);
}

export const isTyping = (element) => element.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]") !== null;

/** Whether the key writes a character that is being composed. Some browsers say so of the first key by its old code alone. */
export const isComposing = (event) => event.isComposing || event.keyCode === 229 || event.key === "Process";

function pressed(event) {
  if (isComposing(event) || event.repeat && !isMove(event.key)) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") return open("palette", event);
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (document.querySelector("dialog[open]") || isTyping(event.target)) return leave(event);
  if (event.key.length === 1 && document.body.dataset.keys === "off") return;
  const key = meant(event);
  if (key === null) return;
  if (performance.now() < goingUntil) return go(key, event);
  if (key === "g") return begin(event);
  if (key === "?") return open("keyhelp", event);
  if (!isInMain(event.target) || isOfControl(key, event.target)) return;
  if (answerers.some((ask) => ask(key, event)) || press(key) || key === "/" && search()) event.preventDefault();
}

const isMove = (key) => key.startsWith("Arrow") || key === "j" || key === "k";

/** By character, and Shift from the event, not from the letter's case: Caps Lock changes nothing. Then as the person remapped it. */
export function meant(event) {
  if (event.key.length > 1) return event.key.startsWith("Arrow") || ["Enter", "Escape", " "].includes(event.key) ? withShift(event, event.key) : null;
  if (event.key === " ") return " ";
  const isLetter = event.key.toLowerCase() !== event.key.toUpperCase();
  const plain = isLetter ? event.key.toLowerCase() : event.key;
  const remap = JSON.parse(document.body.dataset.remap || "{}");
  if (Object.values(remap).includes(plain) && !(plain in remap)) return null; // its work is done by another key now
  return isLetter ? withShift(event, remap[plain] ?? plain) : remap[plain] ?? plain;
}

const withShift = (event, key) => (event.shiftKey ? `Shift+${key}` : key);

/** Whether the key is the focused control's own: Enter and the space bar of a link or button, the arrows among choices. */
function isOfControl(key, element) {
  if (key === "Enter") return element.closest("a, button, summary") !== null;
  if (key === " ") return element.closest("a, button, summary, input") !== null;
  return key.startsWith("Arrow") && element.matches("input[type=radio]");
}

const isInMain = (element) => element === document.body || element.closest("main") !== null;

function begin(event) {
  goingUntil = performance.now() + SEQUENCE_MS;
  event.preventDefault();
}

/** After g, the next key is a place or nothing, never a verb. */
function go(key, event) {
  goingUntil = 0;
  event.preventDefault();
  document.querySelector(`[data-go="${CSS.escape(key)}"]`)?.click();
}

/** Where a page has no search of its own, that of all records. */
function search() {
  const found = document.querySelector('[data-go="r"]');
  found?.click();
  return found !== null;
}

function press(key) {
  const found = [...document.querySelectorAll(`main [data-key="${CSS.escape(key)}"]`)].find((each) => !each.disabled && each.checkVisibility());
  if (found === undefined) return false;
  use(found);
  return true;
}

/** A choice is made and said, a field is gone to, all else is pressed. */
function use(element) {
  const isChoice = element.matches("[type=checkbox], [type=radio]");
  if (element.matches("input, select, textarea") && !isChoice) element.focus();
  else element.click();
  if (isChoice) announce(`${label(element)}: ${element.checked ? "yes" : "no"}`);
}

function leave(event) {
  if (event.key === "Escape" && isTyping(event.target) && !document.querySelector("dialog[open]")) {
    event.target.blur();
    document.getElementById("main").focus();
  }
}

export function open(id, event) {
  event?.preventDefault();
  document.dispatchEvent(new CustomEvent("concord:open", { detail: id }));
}

/** Everything that can be done here: label, key, and how to do it. */
export function commands() {
  const places = [...document.querySelectorAll(".places a, .who a")].map((each) => ({ label: each.textContent.trim(), key: each.dataset.go ? `g ${each.dataset.go}` : "", run: () => each.click() }));
  const here = [...document.querySelectorAll("main [data-key]")].filter((each) => each.checkVisibility() && !each.disabled);
  return [...here.map((each) => ({ label: label(each), key: each.dataset.key, run: () => runs(each) })), ...places];
}

function label(element) {
  const copy = element.cloneNode(true);
  for (const each of copy.querySelectorAll("kbd")) each.remove();
  return element.dataset.label || element.getAttribute("aria-label") || copy.textContent.trim() || element.labels?.[0]?.textContent.trim() || "";
}

function runs(element) {
  if (!answerers.some((ask) => ask(element.dataset.key, null))) use(element);
}
