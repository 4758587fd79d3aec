// After a part has come in, the reader is put at its heading and the chosen row is in sight; j and k walk the queue.
import { answer } from "./keys.js";

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "main") return;
  event.detail.target.querySelector("h1")?.focus({ preventScroll: true });
  inSight();
});

answer((key) => {
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[key];
  const rows = [...document.querySelectorAll(".queue a")];
  if (!step || rows.length === 0) return false;
  const at = rows.findIndex((row) => row.getAttribute("aria-current"));
  rows[Math.min(Math.max(at + step, 0), rows.length - 1)].click();
  return true;
});

function inSight() {
  document.querySelector(".queue .chosen")?.scrollIntoView({ block: "nearest" });
}

inSight();
