// Nothing is decided that nobody has looked at: what has only just appeared waits, and the second click of a double click is none.
import { announce } from "./live.js";

const FLOOR_MS = 120;
let shownAt = 0;

/** Something else is on the screen from now on. */
export function appeared() {
  shownAt = performance.now();
}

/** Whether it has been there long enough to be seen; a page says by data-floor what that is, and why it is not is said aloud. */
export function isLookedAt() {
  const floor = document.querySelector("[data-floor]")?.dataset.floor ?? FLOOR_MS;
  if (performance.now() - shownAt >= Number(floor)) return true;
  announce("Look first: this item has only just appeared");
  return false;
}

export const isSecondClick = (event) => event.detail > 1;
