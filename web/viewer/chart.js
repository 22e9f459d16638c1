// A small line chart of ISAC's losses.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [300, 48];
const NAMES = { instance: "objects separated", semantic: "kinds kept apart" };

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Points of a line; steps without a value are left out. */
function points(values, most) {
  const across = (index) => (values.length > 1 ? (index / (values.length - 1)) * WIDTH : WIDTH / 2);
  return values
    .map((value, index) => [value, across(index), HEIGHT - 2 - (value / most) * (HEIGHT - 4)])
    .filter(([value]) => value !== null)
    .map(([, x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`)
    .join(" ");
}

export class Chart {
  constructor() {
    this.root = document.createElement("figure");
    this.root.className = "hc-chart";
  }

  /**
   * @param {Record<string, (number | null)[]>} losses by name, one value per step
   * @param {number[]} steps their numbers
   * @param {number | null} at the number of the step to mark
   */
  set(losses, steps, at) {
    const names = Object.keys(losses);
    this.root.hidden = names.length === 0;
    if (this.root.hidden) return;
    const most = Math.max(...names.flatMap((name) => losses[name].filter((value) => value !== null)), 1e-9);
    const picture = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    picture.setAttribute("aria-label", `ISAC's losses from step ${steps[0]} to ${steps.at(-1)}`);
    for (const name of names) {
      const line = { points: points(losses[name], most), class: `hc-line hc-${name}`, fill: "none" };
      picture.append(shape("polyline", { ...line, "vector-effect": "non-scaling-stroke" }));
    }
    const place = steps.indexOf(at);
    if (place >= 0) {
      const x = steps.length > 1 ? (place / (steps.length - 1)) * WIDTH : WIDTH / 2;
      picture.append(shape("line", { x1: x, x2: x, y1: 0, y2: HEIGHT, class: "hc-mark" }));
    }
    this.root.replaceChildren(picture, this.#legend(losses, most, place));
  }

  #legend(losses, most, place) {
    const legend = document.createElement("figcaption");
    legend.append(`ISAC losses, 0 to ${most.toPrecision(2)}`);
    for (const [name, values] of Object.entries(losses)) {
      const entry = document.createElement("span");
      entry.className = `hc-entry hc-${name}`;
      const value = place >= 0 && values[place] !== null ? ` ${values[place].toPrecision(2)}` : "";
      entry.textContent = `${NAMES[name] ?? name}${value}`;
      legend.append(entry);
    }
    return legend;
  }
}
