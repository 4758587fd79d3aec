// A series that can be brushed, over the figures of its table, in the lines of the server's own drawing, which is there without this script.
const HEIGHT = 220;
const DAY = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
const number = (cell) => Number(cell.textContent.replaceAll(",", ""));

for (const figure of document.querySelectorAll("[data-brush]")) brush(figure);

function brush(figure) {
  const rows = [...figure.querySelectorAll("tbody tr")].reverse();
  const drawing = figure.querySelector(".chart svg");
  const said = figure.querySelector("[data-hint]");
  if (rows.length < 2) return;
  said.textContent = said.dataset.hint;
  const names = [...figure.querySelectorAll("thead th")].slice(1).map((head) => head.textContent.toLowerCase());
  const days = rows.map((row) => Date.parse(row.cells[0].textContent.trim()) / 1000);
  const data = [days, ...names.map((_, place) => rows.map((row) => number(row.cells[place + 1])))];
  const tell = (chart) => {
    const at = chart.cursor.idx;
    said.textContent = at === null || at === undefined ? said.dataset.hint : `${DAY(days[at])}: ${names.map((name, place) => `${name} ${data[place + 1][at].toLocaleString("en")}`).join(", ")}`;
  };
  let chart = null;
  const draw = () => {
    chart?.destroy();
    drawing.toggleAttribute("hidden", false);
    const options = { width: drawing.parentElement.clientWidth, height: HEIGHT, legend: { show: false }, hooks: { setCursor: [tell] }, tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC") };
    chart = new uPlot({ ...options, series: [{}, ...lines(drawing)], axes: axes(drawing) }, data, drawing.parentElement);
    drawing.toggleAttribute("hidden", true);
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(() => chart.setSize({ width: drawing.parentElement.clientWidth, height: HEIGHT })).observe(drawing.parentElement);
}

/** Colour, width and dashes are those of the drawing's own lines. */
function lines(drawing) {
  return [...drawing.querySelectorAll("polyline")].map((line) => {
    const look = getComputedStyle(line);
    const dash = look.strokeDasharray === "none" ? undefined : look.strokeDasharray.split(",").map(parseFloat);
    return { stroke: look.stroke, width: parseFloat(look.strokeWidth), dash, points: { show: false } };
  });
}

function axes(drawing) {
  const text = getComputedStyle(drawing.querySelector(".tick"));
  const common = { stroke: text.fill, font: `${text.fontSize} ${text.fontFamily}`, grid: { stroke: getComputedStyle(drawing.querySelector(".grid")).stroke, width: 1 }, ticks: { show: false } };
  return [{ ...common, size: 26, grid: { show: false }, values: (_, at) => at.map((each) => DAY(each).slice(5)) }, { ...common, incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000, 50000, 100000], values: (_, at) => at.map((each) => each.toLocaleString("en")) }];
}
