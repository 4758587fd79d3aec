// The verbs of an item. A verb belongs to the item that was on the screen at keydown: it takes that form with its version and its key, and
// the next item, delivered ahead, is there before the answer.
import { arrived, byId, focus, next, templates } from "./ahead.js";
import { answer } from "./keys.js";
import { announce } from "./live.js";
import { isLookedAt, isSecondClick } from "./look.js";
import { decision, hasDecided, push, topUp } from "./outbox.js";

export function listen() {
  answer(pressed);
  document.addEventListener("click", clicked);
  document.addEventListener("htmx:afterSwap", (event) => event.detail.target.id === "item" && focus());
}

export function begin() {
  if (arrived() && templates().length === 0) topUp();
}

function pressed(key, event) {
  const button = [...byId("item").querySelectorAll("[data-verb]")].find((each) => each.dataset.key === key);
  if (key === "z" && event !== null) return undo(byId("tray").dataset.url); // my last one; by its name in the palette, the one that is named
  if (key === "Shift+z" && event !== null) return redo(byId("tray").dataset.again);
  if (/^[1-9]$/.test(key) && digit(key, button)) return true;
  if (key === "j" && !event?.target?.closest("[data-cluster]")) return skip();
  if (button === undefined || key === "Enter") return false;
  decide(button);
  return true;
}

function clicked(event) {
  const pushed = event.target.closest("[data-verb], [data-undo], [data-redo]");
  if (pushed === null) return;
  event.preventDefault();
  if (isSecondClick(event)) return;
  if (pushed.dataset.undo !== undefined) undo(pushed.form.getAttribute("action"));
  else if (pushed.dataset.redo !== undefined) redo(pushed.form.getAttribute("action"));
  else decide(pushed);
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
  if (!isLookedAt()) return;
  if (wantsReason(item, button)) return announce("Something speaks against it: press the digit of your reason");
  const form = item.querySelector("#verdict");
  const values = { ...Object.fromEntries(new FormData(form)), [button.name]: button.value };
  const done = form.elements.propose?.checked ? "Proposed" : button.dataset.done;
  next(`${done}. Next: `);
  decision({ url: form.getAttribute("action"), values, item, said: `${done}.` });
}

function wantsReason(item, button) {
  const reasons = item.querySelector("[data-reasons]");
  if (reasons === null || !button.classList.contains("main") || reasons.querySelector(":checked")) return false;
  button.dataset.waits = "";
  reasons.classList.add("wanted");
  return true;
}

/** On without deciding; the item stays where it is in the list. */
function skip() {
  if (templates().length === 0) return announce("No further item is here"), true;
  next("Next: ");
  topUp();
  return true;
}

function undo(url) {
  if (byId("tray").querySelector("[data-undo]") === null && !hasDecided()) return announce("Nothing of yours to undo"), true;
  push({ url, values: {}, item: null });
  return true;
}

/** What was taken back last is said again; the item on the screen stays for afterwards. */
function redo(url) {
  if (byId("tray").querySelector("[data-redo]") === null) return announce("Nothing of yours to say again"), true;
  const again = byId("tray").querySelector("[data-redo] code").textContent.slice(1);
  const item = byId("item").dataset.task.endsWith(again) ? byId("item") : null;
  if (item) next("Done again. Next: ");
  push({ url, values: {}, item });
  return true;
}
