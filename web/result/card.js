// The page elements that show what a node says: the verdict large, a mark for each image, then the table.

import { element } from "../page/element.js";
import { setText } from "../page/texts.js";

const TEXTS = {
  empty: "Run the workflow to see the result here.",
  running: "Running ...",
  stopped: "Stopped before there was a result.",
  unreached: "The run stopped before this node.",
  before: "The result of the run before:",
};
const NAMES = { true: "right", false: "wrong", null: "" };
const SIGNS = { true: "✓", false: "✗" };

export class Card {
  constructor() {
    // "widget-expands" gives the card what height the node has left in Nodes 2.0.
    const aria = { live: "polite", label: "Result" };
    this.root = element("div", { className: "headcount-result widget-expands", tabIndex: 0, role: "region", aria });
    this.show([], "");
  }

  /**
   * @param {import("./state.js").Result[]} results
   * @param {string} note on a run of what the node patched, or on its own; empty for none
   * @param {"" | "running" | "stopped" | "unreached"} state in which the results are those of the run before
   */
  show(results, note, state = "") {
    const said = results.flatMap(partsOf);
    const parts = state ? [line(TEXTS[state], "hc-state"), ...noteOf(note), ...before(said)] : [...said, ...noteOf(note)];
    this.root.classList.toggle("hc-running", state === "running");
    this.root.replaceChildren(...(parts.length ? parts : [line(TEXTS.empty, "hc-quiet")]));
  }

  /** Pixels that the text takes with its margins, however tall the card is; 0 where the page does not show the card. */
  textHeight() {
    const { firstElementChild: first, lastElementChild: last } = this.root;
    return last.offsetHeight && first.offsetTop + last.offsetTop + last.offsetHeight;
  }
}

function line(english, className) {
  const text = element("div", { className });
  setText(text, english);
  return text;
}

function before(parts) {
  return parts.length ? [line(TEXTS.before, "hc-quiet"), element("div", { className: "hc-before" }, parts)] : [];
}

/** Page elements of one result. */
function partsOf({ verdict, right, marks, table, note }) {
  const parts = [];
  if (verdict) parts.push(element("div", { className: `hc-verdict ${classOf(right)}`, textContent: signed(right, verdict) }));
  parts.push(...noteOf(note));
  if (marks.length) parts.push(element("div", { className: "hc-marks", role: "list" }, marks.map(markOf)));
  if (table) parts.push(element("div", { className: "hc-table", textContent: table }));
  return parts;
}

function noteOf(text) {
  return text ? [element("div", { className: "hc-note", textContent: text })] : [];
}

function markOf(right, index) {
  const label = `${index + 1}: ${NAMES[right]}`;
  const textContent = `${index + 1} ${SIGNS[right]}`;
  return element("span", { className: `hc-mark-of-image ${classOf(right)}`, role: "listitem", textContent, title: label, aria: { label } });
}

const classOf = (right) => (right === null ? "" : `hc-${NAMES[right]}`);
const signed = (right, verdict) => (right === null ? verdict : `${SIGNS[right]} ${verdict}`);
