// Commands by name, and the keys of this page. Both are lists of what stands on the page; neither knows what there is.
import { commands, isComposing } from "./keys.js";
import { announce } from "./live.js";

let shown = [];
let chosen = 0;

export function listen() {
  document.addEventListener("concord:open", (event) => show(event.detail));
  for (const each of document.querySelectorAll("[data-open]")) each.addEventListener("click", () => show(each.dataset.open));
  const input = document.getElementById("palette-text");
  input?.addEventListener("input", () => list(input.value));
  input?.addEventListener("keydown", steer);
}

function show(id) {
  const dialog = document.getElementById(id);
  if (dialog === null || dialog.open) return;
  if (id === "keyhelp") fill(dialog.querySelector("ul"), commands().filter((each) => each.key), (each) => [kbd(each.key), each.label]);
  dialog.showModal();
  if (id !== "palette") return;
  document.getElementById("palette-text").value = "";
  list("");
}

function list(text) {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  shown = commands().filter((each) => wanted.every((word) => each.label.toLowerCase().includes(word)));
  chosen = 0;
  fill(document.getElementById("palette-list"), shown, (each) => [button(each)]);
  mark();
}

function fill(target, items, made) {
  target.replaceChildren(...items.map((each) => {
    const item = document.createElement("li");
    item.append(...made(each));
    return item;
  }));
}

function button(command) {
  const made = document.createElement("button");
  made.type = "button";
  made.tabIndex = -1;
  made.append(command.label);
  if (command.key) made.append(kbd(command.key));
  made.addEventListener("click", () => run(command));
  return made;
}

function kbd(text) {
  const made = document.createElement("kbd");
  made.textContent = text;
  return made;
}

function steer(event) {
  if (isComposing(event)) return;
  if (event.key === "Enter" && shown.length > 0) {
    event.preventDefault();
    run(shown[chosen]);
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : shown.length - 1)) % Math.max(shown.length, 1);
    mark();
  }
}

function mark() {
  const list = document.getElementById("palette-list");
  [...list.children].forEach((each, place) => {
    each.id = `palette-${place}`;
    each.role = "option";
    each.setAttribute("aria-selected", String(place === chosen));
  });
  document.getElementById("palette-text").setAttribute("aria-activedescendant", shown.length ? `palette-${chosen}` : "");
  list.children[chosen]?.scrollIntoView({ block: "nearest" });
  if (shown.length === 0) announce("No command of this name");
}

function run(command) {
  document.getElementById("palette").close();
  command.run();
}
