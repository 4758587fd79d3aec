// The tray: what was decided last is taken back, what was taken back last is said again. Both wait their turn in the queue (`push`);
// where there is nothing, that is said, and the answer is false.
import { byId, next } from "./ahead.js";
import { announce } from "./live.js";

const has = (what) => byId("tray").querySelector(`[data-${what}]`) !== null;

export function undo(push, decided) {
  if (!has("undo") && !decided) return announce("Nothing of yours to undo"), false;
  push({ url: byId("tray").dataset.url, values: {}, item: byId("item") });
  return true;
}

/** The item on the screen makes way only where it is the one that is decided again. */
export function redo(push) {
  if (!has("redo")) return announce("Nothing of yours to say again"), false;
  const item = byId("item");
  if (item.dataset.task.endsWith(byId("tray").querySelector("[data-redo] code").textContent.slice(1))) next("Done again. Next: ");
  push({ url: byId("tray").dataset.again, values: {}, item });
  return true;
}
