// What is sent, in order, one request in flight; and what its answer is to the page. What the server refuses comes back with the reason.
import { bringBack, byId, keep, next, takeShown, templates, tidy } from "./ahead.js";
import { announce, LONG_MS } from "./live.js";

const [AHEAD, AHEAD_MAX] = [3, 12];
const QUICK_MS = 1500;
const waiting = [];
const decided = new Set();
let busy = false;
let told = {}; // what the request in flight came to: whether an item came instead, as a refusal or not, or why it was refused
let lately = [];

export function listen() {
  document.addEventListener("htmx:beforeSwap", makeWay);
  document.addEventListener("concord:refused", (event) => (told.refusal = event.detail.value));
}

export const hasDecided = () => decided.size > 0;

/** A decision on an item; `said` is what was announced of it already. */
export function decision(act) {
  decided.add(act.item.dataset.task);
  lately = [...lately.filter((at) => performance.now() - at < QUICK_MS), performance.now()];
  push(act);
}

export function push(act) {
  waiting.push(act);
  send();
}

export const topUp = () => push({ url: byId("desk").dataset.ahead, values: {}, item: null });

async function send() {
  if (busy || waiting.length === 0) return;
  busy = true;
  const act = waiting.shift();
  told = {};
  try {
    await htmx.ajax("POST", act.url, { source: "#ahead", target: "#ahead", swap: "beforeend", values: { ...act.values, ...held() } });
    if (told.isRefused) refused(act);
    else if (told.isItem || byId("ahead").querySelector("template[data-tray]")) settle(act);
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
  return { held: [...new Set([...ids, ...waiting.map((each) => each.item?.dataset.task).filter(Boolean)])].join(","), want, list: byId("desk").dataset.list, shown: takeShown() };
}

function settle(act) {
  const { said, then } = byId("ahead").querySelector("template[data-said]")?.dataset ?? {};
  const tray = byId("ahead").querySelector("template[data-tray]");
  if (tray) byId("tray").replaceWith(tray.content.cloneNode(true));
  for (const each of byId("ahead").querySelectorAll("template:not([data-task])")) each.remove();
  tidy();
  if (said && said !== act.said) announce(said, LONG_MS);
  if (!byId("item").classList.contains("sent") || byId("item") !== act.item) return;
  if (templates().length > 0) next(said ? `${said} Next: ` : "Next: ");
  else location.assign(then);
}

/** An item that the server sends takes the place of the one on the screen: that one comes again afterwards. */
function makeWay(event) {
  const current = byId("item");
  if (event.detail.xhr.getResponseHeader("HX-Retarget") !== "#item" || current === null) return;
  told.isItem = true;
  told.isRefused = event.detail.xhr.status >= 400;
  if (!event.detail.serverResponse.includes(`data-task="${current.dataset.task}"`)) keep(current);
}

/** The item is there again with the reason, which takes the place of what was announced of it. */
function refused(act) {
  decided.delete(act.item?.dataset.task);
  tidy();
  announce(byId("problem").textContent.trim(), LONG_MS);
}

function failed(act, why) {
  decided.delete(act.item?.dataset.task);
  if (act.item !== null) bringBack(act.item);
  announce(why, LONG_MS);
}
