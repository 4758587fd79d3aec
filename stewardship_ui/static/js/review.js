// The review page: its queue of decisions, its evidence grid, its split.
import * as grid from "./grid.js";
import * as queue from "./queue.js";
import * as split from "./split.js";

queue.listen();
grid.listen();
split.listen();
document.addEventListener("htmx:load", () => queue.begin());
