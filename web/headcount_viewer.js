// Puts the interactive view into every Attention Map Viewer node. The node works without it.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { addElements, alsoAt, workflowChanged } from "./page/node.js";
import { readState, writeState } from "./viewer/state.js";
import { View } from "./viewer/view.js";

const NODE = "HeadcountAttentionMapViewer";
const OUTPUT = "headcount_viewer";
const NOTE = "headcount_viewer_note"; // why there is no view
const MIN_HEIGHT = 460;

/** The address of a file in ComfyUI's temporary folder. */
function addressOf(subfolder, filename) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type: "temp" })}`);
}

/** What the node's own widgets say, for as long as nothing else was chosen in the view. */
function settingsOf(node) {
  const value = (name) => node.widgets?.find((widget) => widget.name === name)?.value;
  return { show: value("show"), words: value("words"), opacity: value("opacity"), scale: value("scale") };
}

/** The view takes the place of the previews below the node. Its handlers stay: another extension may have one there. */
function withoutPreviews(node) {
  node.hideOutputImages = true; // Nodes 2.0
  Object.defineProperty(node, "imgs", { get: () => undefined, set: () => {}, configurable: true }); // the classic canvas
}

function addView(node) {
  const view = new View({
    addressOf,
    settings: () => settingsOf(node),
    read: () => readState(node.properties),
    write: (state) => writeState(node, state),
    changed: workflowChanged,
  });
  addElements(node, "attention_view", view.root, { least: () => MIN_HEIGHT });
  withoutPreviews(node);
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
