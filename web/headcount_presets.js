// A node's presets: choosing one shows the values that it stands for, and changing one of these makes it "custom".

import { app } from "../../scripts/app.js";
import { alsoAt } from "./page/node.js";

const OPTION = "headcount_presets"; // of the input "preset", from the node's schema
const CUSTOM = "custom";

const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name);

class Presets {
  /**
   * @param {object} node
   * @param {Record<string, Record<string, unknown>>} presets - preset -> widget -> value
   */
  constructor(node, presets) {
    this.node = node;
    this.presets = presets;
    this.preset = widgetOf(node, "preset");
    this.writing = false;
    alsoAt(this.preset, "callback", () => this.show());
    for (const name of Object.keys(Object.values(presets)[0])) {
      alsoAt(widgetOf(node, name), "callback", () => this.#changed());
    }
    alsoAt(node, "onConfigure", (saved) => this.#takeIn(saved));
  }

  /** Write the preset's values into the other widgets. */
  show() {
    this.writing = true;
    for (const [name, value] of Object.entries(this.presets[this.preset.value] ?? {})) {
      const widget = widgetOf(this.node, name);
      widget.value = value;
      widget.callback?.(value);
    }
    this.writing = false;
    this.node.setDirtyCanvas?.(true, true);
  }

  #changed() {
    if (!this.writing) this.preset.value = CUSTOM;
  }

  /** A node that was saved before there were presets keeps its values. */
  #takeIn({ widgets_values: values }) {
    const place = this.node.widgets.indexOf(this.preset);
    if (Array.isArray(values) && values.length <= place) this.preset.value = CUSTOM;
    else this.show();
  }
}

app.registerExtension({
  name: "Headcount.Presets",
  nodeCreated(node) {
    const [, options] = node.constructor.nodeData?.input?.optional?.preset ?? [];
    if (options?.[OPTION]) new Presets(node, options[OPTION]);
  },
});
