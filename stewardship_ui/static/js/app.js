// The parts that every page has. A part starts again with whatever htmx has swapped in; a page's own parts are scripts of that page.
import * as ended from "./ended.js";
import * as keys from "./keys.js";
import * as live from "./live.js";
import * as palette from "./palette.js";
import * as prefs from "./prefs.js";

document.documentElement.dataset.js = "on";
ended.listen();
keys.listen();
live.listen();
palette.listen();
prefs.listen();
document.addEventListener("htmx:load", (event) => live.start(event.detail.elt));
document.addEventListener("htmx:configRequest", (event) => {
  // What a form sends by itself: every write carries the token of the session.
  if (event.detail.verb !== "get") event.detail.parameters.csrf ??= document.body.dataset.csrf;
});
for (const each of document.querySelectorAll("[data-open]")) each.hidden = false;
