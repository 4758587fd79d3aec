// What is told to those who do not look, times that go on, and parts that ask the server again while the page is looked at.
const TOAST_MS = 4000;
export const LONG_MS = 15000; // what nobody expected stays longer
const POLL_MS = 2000;
let hiding = 0;
let asking = null;

/** Say it in the live region, and show it for a moment. */
export function announce(text, milliseconds = TOAST_MS) {
  document.getElementById("live").textContent = text;
  const toast = document.getElementById("toast");
  toast.textContent = text;
  clearTimeout(hiding);
  hiding = setTimeout(() => (toast.textContent = ""), milliseconds);
}

/** What the server refused to a part of a page comes as an event, whichever part it was. */
export function listen() {
  document.addEventListener("concord:refused", (event) => announce(event.detail.value, LONG_MS));
  document.addEventListener("click", copy);
}

function copy(event) {
  const link = event.target.closest("[data-copy]");
  if (link === null) return;
  event.preventDefault();
  navigator.clipboard?.writeText(link.href).then(() => announce("Link copied"));
}

/** With every part that comes in: what it has to say, what counts down, what is to be kept fresh. */
export function start(root) {
  const said = root.matches?.("[data-say]") ? root : root.querySelector?.("[data-say]");
  if (said?.dataset.say) {
    announce(said.dataset.say);
    delete said.dataset.say;
  }
  for (const each of root.querySelectorAll?.("[data-until]") ?? []) count(each);
  asking ??= setInterval(ask, POLL_MS);
}

/** data-until: a moment in seconds since 1970; data-after: what is said then. */
function count(element) {
  const tick = () => {
    const left = Math.max(0, Math.round(Number(element.dataset.until) - Date.now() / 1000));
    element.textContent = left >= 60 ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : `${left} s`;
    if (left > 0 && element.isConnected) setTimeout(tick, 1000);
    else if (element.isConnected) element.dispatchEvent(new CustomEvent("concord:over", { bubbles: true }));
  };
  tick();
}

/** data-poll: an address that answers 204 while nothing is new, else with the part in its place. */
function ask() {
  if (document.hidden) return;
  for (const each of document.querySelectorAll("[data-poll]")) {
    if (!each.dataset.asking) {
      each.dataset.asking = "yes";
      // X-Poll: nobody did anything, so that the session goes on growing idle
      htmx.ajax("GET", each.dataset.poll, { source: each, target: each, swap: "outerHTML", headers: { "X-Poll": "1" } }).finally(() => delete each.dataset.asking);
    }
  }
}
