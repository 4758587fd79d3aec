// A slider over the rows of a table: it says the row's figures and marks it. Without a script the table says all of it.
function start(root) {
  for (const part of root.querySelectorAll("[data-slider]")) {
    const slider = part.querySelector("input[type=range]");
    if (!slider || !slider.hidden) continue;
    const said = part.querySelector("output");
    const show = () => {
      for (const row of part.querySelectorAll("[data-row]")) {
        const is = row.dataset.row === slider.value;
        row.classList.toggle("chosen", is);
        if (is) {
          said.textContent = row.dataset.said;
          slider.setAttribute("aria-valuetext", row.dataset.said);
        }
      }
    };
    slider.hidden = false;
    slider.labels[0].hidden = false;
    slider.addEventListener("input", show);
    show();
  }
}
document.addEventListener("htmx:load", (event) => start(event.target));
