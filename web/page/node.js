// What the pack's widgets of nodes have in common, on the classic canvas and in Nodes 2.0.

import { app } from "../../../scripts/app.js";
import { element } from "./element.js";

const STYLE = new URL("../headcount.css", import.meta.url).href;

/** Call `then` after whatever a node does at an event already. */
export function alsoAt(node, event, then) {
  const before = node[event];
  node[event] = function (...values) {
    const result = before?.apply(this, values);
    then(...values);
    return result;
  };
}

/** Let the page save a draft of the workflow, and undo the change. */
export function workflowChanged() {
  app.canvas.emitBeforeChange();
  app.canvas.emitAfterChange();
}

/**
 * Add page elements to a node, below its widgets and at every zoom. They are no input of the node and no value of the
 * workflow: a value would stand in a list by position, and shift the others where a page reads the list differently.
 *
 * @param {object} node
 * @param {string} name of the widget
 * @param {HTMLElement} root
 * @param {{least: () => number, most?: () => number}} heights in pixels of the graph
 */
export function addElements(node, name, root, { least, most }) {
  addStyle();
  const widget = node.addDOMWidget(name, `headcount_${name}`, root, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: least,
    ...(most ? { getMaxHeight: most } : {}),
  });
  widget.serialize = false;
  root.addEventListener("pointerdown", (event) => event.stopPropagation()); // a slider or a selection must not drag the node
  zoomBehind(root);
  return widget;
}

/** One for all nodes. */
function addStyle() {
  if (!document.querySelector(`link[href="${STYLE}"]`)) {
    document.head.append(element("link", { rel: "stylesheet", href: STYLE }));
  }
}

/** The classic canvas lies behind the elements, so that turning the wheel over them would do nothing. */
function zoomBehind(root) {
  const isInsideNode = () => root.closest("[data-node-id]") !== null; // Nodes 2.0 looks after the wheel by itself
  root.addEventListener("wheel", (event) => {
    if (event.defaultPrevented || isInsideNode() || scrolls(root, event.deltaY)) return;
    event.preventDefault();
    app.canvas.canvas.dispatchEvent(new WheelEvent("wheel", event));
  });
}

/** Has an element, which may be longer than it shows, something left in the direction of the wheel? */
function scrolls({ scrollTop, scrollHeight, clientHeight }, way) {
  return way < 0 ? scrollTop > 0 : scrollTop + clientHeight < scrollHeight - 1;
}
