// The mapping workbench: each answer brings the next code into its place, so that a click or key that came too soon is not for that one.
import { appeared, isLookedAt, isSecondClick } from "./look.js";

// Before htmx, which sends what is submitted
document.addEventListener("click", guard, true);
document.addEventListener("htmx:load", appeared);

function guard(event) {
  const button = event.target.closest("main form[hx-post] button");
  if (button === null || !isSecondClick(event) && (button.name !== "ruling" || isLookedAt())) return;
  event.preventDefault();
  event.stopPropagation();
}
