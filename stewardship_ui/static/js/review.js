// The review page: its verbs, the queue that sends them, its evidence grid, its split.
import * as grid from "./grid.js";
import * as outbox from "./outbox.js";
import * as queue from "./queue.js";
import * as split from "./split.js";

outbox.listen();
queue.listen();
grid.listen();
split.listen();
document.addEventListener("htmx:load", () => queue.begin());
