// Puts the interactive view into every Attention Map Viewer node. The node works without it.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { addElements, alsoAt, workflowChanged } from "./page/node.js";
import { atOutput, takeOutputs } from "./page/runs.js";
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

const SETTINGS = ["show", "words", "opacity", "scale", "selected"]; // widgets whose controls are the view's
const NEW_SIZE = [400, 700];

const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name);

/** Where the server wrote the files of a view. */
const folderOf = (output) => output?.[OUTPUT]?.[0]?.subfolder;

/** What the node's own widgets say. */
function settingsOf(node) {
  return Object.fromEntries(SETTINGS.map((name) => [name, widgetOf(node, name)?.value]));
}

/** The view writes the node's widgets, so that the node's outputs are what it shows. */
function set(node, settings) {
  for (const [name, value] of Object.entries(settings)) {
    const widget = widgetOf(node, name);
    if (!widget) continue;
    widget.value = value;
    widget.callback?.(value);
  }
}

/** One set of controls: those of the view. An input that is linked keeps its place for the link. */
function hideWidgets(node) {
  for (const name of SETTINGS) {
    const widget = widgetOf(node, name);
    if (!widget) continue;
    widget.hidden = true; // the classic canvas
    widget.options.hidden = true; // Nodes 2.0
  }
}

/** The view takes the place of the previews below the node. Its handlers stay: another extension may have one there. */
function withoutPreviews(node) {
  node.hideOutputImages = true; // Nodes 2.0
  Object.defineProperty(node, "imgs", { get: () => undefined, set: () => {}, configurable: true }); // the classic canvas
}

/** @type {WeakMap<object, View>} */
const ofNodes = new WeakMap();

/** What a run behind another workflow left. Returns whether it is another view than before. */
function takeLeft(node, output) {
  const view = node && ofNodes.get(node);
  const folder = folderOf(output);
  if (!view || !folder || folder === view.folder) return false;
  view.show(folder);
  return true;
}

function addView(node) {
  const view = new View({
    addressOf,
    settings: () => settingsOf(node),
    set: (settings) => set(node, settings),
    read: () => readState(node.properties),
    write: (state) => writeState(node, state),
    changed: workflowChanged,
  });
  ofNodes.set(node, view);
  addElements(node, "attention_view", view.root, { least: () => MIN_HEIGHT });
  hideWidgets(node);
  withoutPreviews(node);
  node.setSize(NEW_SIZE.map((side, axis) => Math.max(side, node.size[axis]))); // a saved node takes its own size after this
  atOutput(node, (output) => {
    view.show(folderOf(output), output?.[NOTE]?.[0]);
    workflowChanged();
  });
  alsoAt(node, "onConfigure", () => view.restore());
  alsoAt(node, "onRemoved", () => view.close());
}

app.registerExtension({
  name: "Headcount.AttentionMapViewer",
  nodeCreated(node) {
    if (node.comfyClass === NODE) addView(node);
  },
  onNodeOutputsUpdated: (outputs) => takeOutputs(outputs, takeLeft),
});
