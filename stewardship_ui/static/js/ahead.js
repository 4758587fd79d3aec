// The item on the screen and those delivered ahead of it. Swapping is at once; nothing here asks the server but for the claim.
import { announce } from "./live.js";
import { appeared } from "./look.js";

let begun = null;
const shown = [];

export const byId = (id) => document.getElementById(id);
export const templates = () => [...byId("ahead").querySelectorAll("template[data-task]")];
export const takeShown = () => shown.splice(0).join(",");

/** Whenever an item came in by itself: it is mine from now on. True for one that was not here before. */
export function arrived() {
  const item = byId("item");
  if (item === null || begun === item) return false;
  if (begun !== null) address(item);
  begun = item;
  appeared();
  if (item.querySelector(".verbs")) htmx.ajax("POST", item.dataset.claim, { source: "#claim", target: "#claim", swap: "outerHTML", values: { version: item.dataset.version } });
  return true;
}

/** The next item in the place of this one; without one, this one waits. */
export function next(said) {
  const [template] = templates();
  if (template === undefined) return byId("item").classList.add("sent");
  place(template.content.firstElementChild.cloneNode(true));
  shown.push(template.dataset.task);
  template.remove();
  focus();
  announce(said + byId("item").querySelector("h1").textContent.replace(/\s+/g, " ").trim());
}

export function place(item) {
  byId("item").replaceWith(item);
  address(item);
  begun = item;
  appeared();
  htmx.process(item);
}

/** What the page is reopened or shared by is what it shows. */
const address = (item) => history.replaceState(null, "", item.dataset.address);

/** This item comes again after the one that takes its place. */
export function keep(item) {
  const template = document.createElement("template");
  template.dataset.task = item.dataset.task;
  item.classList.remove("sent");
  template.content.append(item.cloneNode(true));
  byId("ahead").prepend(template);
}

/** An item that could not be decided is on the screen again. */
export function bringBack(item) {
  if (byId("item") !== item) {
    keep(byId("item"));
    place(item);
  }
  item.classList.remove("sent");
}

export function focus() {
  byId("item").querySelector("h1").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

/** Each task once, and never the one on the screen. */
export function tidy() {
  const seen = new Set([byId("item").dataset.task]);
  for (const each of templates()) {
    if (seen.has(each.dataset.task)) each.remove();
    seen.add(each.dataset.task);
  }
}
