// Puts the interactive view into every Attention Map Viewer node. The node works without it.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { readState, writeState } from "./viewer/state.js";
import { View } from "./viewer/view.js";

const NODE = "HeadcountAttentionMapViewer";
const OUTPUT = "headcount_viewer";
const NOTE = "headcount_viewer_note"; // why there is no view
const LEAST_HEIGHT = 460;

/** The address of a file in ComfyUI's temporary folder. */
function addressOf(subfolder, filename) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type: "temp" })}`);
}

/** What the node's own widgets say, for as long as nothing else was chosen in the view. */
function settingsOf(node) {
  const value = (name) => node.widgets?.find((widget) => widget.name === name)?.value;
  return { show: value("show"), words: value("words"), opacity: value("opacity"), scale: value("scale") };
}

/** Let the page save a draft of the workflow, and undo the change. */
function workflowChanged() {
  app.canvas.emitBeforeChange();
  app.canvas.emitAfterChange();
}

/** Call `then` after whatever a node does at an event already. */
function alsoAt(node, event, then) {
  const before = node[event];
  node[event] = function (...values) {
    const result = before?.apply(this, values);
    then(...values);
    return result;
  };
}

/** The classic canvas lies behind the view, so that turning the wheel over it would do nothing. */
function zoomBehind(root) {
  const isInsideNode = () => root.closest("[data-node-id]") !== null; // Nodes 2.0 looks after the wheel by itself
  root.addEventListener("wheel", (event) => {
    if (event.defaultPrevented || isInsideNode()) return;
    event.preventDefault();
    app.canvas.canvas.dispatchEvent(new WheelEvent("wheel", event));
  });
}

function addView(node) {
  const view = new View({
    addressOf,
    settings: () => settingsOf(node),
    read: () => readState(node.properties),
    write: (state) => writeState(node, state),
    changed: workflowChanged,
  });
  const widget = node.addDOMWidget("attention_view", "headcount_attention_view", view.root, {
    serialize: false, // no input of the node
    getMinHeight: () => LEAST_HEIGHT,
  });
  widget.serialize = false; // and no value of the workflow: what is chosen lies in the node's properties
  // The view takes the place of the previews below the node: the first is for newer pages, the second for the canvas.
  node.hideOutputImages = true;
  node.onDrawBackground = () => {};
  zoomBehind(view.root);
  alsoAt(node, "onExecuted", (output) => view.show(output?.[OUTPUT]?.[0]?.subfolder, output?.[NOTE]?.[0]));
  alsoAt(node, "onConfigure", () => view.restore());
  alsoAt(node, "onRemoved", () => view.close());
}

app.registerExtension({
  name: "Headcount.AttentionMapViewer",
  nodeCreated(node) {
    if (node.comfyClass === NODE) addView(node);
  },
});
