// The page elements that show what a node says: the verdict large, a mark for each image, then the table.

import { element } from "../page/element.js";
import { setText } from "../page/texts.js";

const EMPTY = "Run the workflow to see the result here.";
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
   * @param {string} note on a run of what the node patched; empty for none
   */
  show(results, note) {
    const parts = [...results.flatMap(partsOf), ...noteOf(note)];
    this.root.replaceChildren(...(parts.length ? parts : [empty()]));
    this.fresh();
  }

  /** The node runs again: what is shown is of the run before. */
  fade() {
    this.root.classList.add("hc-before");
  }

  fresh() {
    this.root.classList.remove("hc-before");
  }
}

function empty() {
  const text = element("div", { className: "hc-quiet" });
  setText(text, EMPTY);
  return text;
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
