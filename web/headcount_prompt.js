// Shows under every Count Prompt what is read out of its text, while somebody types. The node works without it.

import { app } from "../../scripts/app.js";
import { addElements, alsoAt, workflowChanged } from "./page/node.js";
import { Chips } from "./prompt/chips.js";
import { readingOf } from "./prompt/reading.js";

const NODE = "HeadcountCountPrompt";
const HEIGHT = { least: 44, most: 92 };
const TICK = 250; // ms between two looks at the texts

/** @type {Set<PromptReading>} */
const all = new Set();

/** What one node's text says. */
class PromptReading {
  constructor(node) {
    this.node = node;
    this.chips = new Chips((line) => this.#write(line));
    addElements(node, "reading", this.chips.root, { least: () => HEIGHT.least, most: () => HEIGHT.most });
    const [width, height] = node.computeSize();
    node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
    all.add(this);
    alsoAt(node, "onRemoved", () => { this.isRemoved = true; });
  }

  /** Read the texts if they have changed, and have not since the last look: nobody is in the middle of a word. */
  look() {
    if (this.isRemoved && !this.#liveOn()) return;
    const texts = JSON.stringify(["text", "objects", "reader"].map((name) => this.#value(name)));
    const isAtRest = texts === this.seen;
    this.seen = texts;
    if (isAtRest && texts !== this.asked) this.#ask(texts);
  }

  /** Undo makes a node anew, and Nodes 2.0 may go on showing the elements of the old one: they are the new one's then. */
  #liveOn() {
    if (!this.chips.root.isConnected) all.delete(this);
    else this.node = app.canvas.graph?.getNodeById(this.node.id) ?? this.node;
    return this.chips.root.isConnected;
  }

  async #ask(texts) {
    this.asked = texts;
    const [text, objects, reader] = JSON.parse(texts);
    if (text === null || objects === null || (reader === null && objects.trim() === "")) {
      this.chips.showLinked();
      return;
    }
    const reading = await readingOf(text, objects);
    if (this.asked !== texts) return; // a later text is on its way
    if (reading.again) {
      this.chips.showAway();
      setTimeout(() => { if (this.asked === texts) this.asked = undefined; }, reading.again);
      return;
    }
    this.chips.show(reading, text.trim() === "");
  }

  #widget(name) {
    return this.node.widgets?.find((widget) => widget.name === name);
  }

  /** Of an input; null where another node gives it. */
  #value(name) {
    if (this.node.inputs?.some((input) => input.name === name && input.link != null)) return null;
    return String(this.#widget(name)?.value ?? "");
  }

  /** Correct what is counted: the objects line says it. */
  #write(line) {
    const widget = this.#widget("objects");
    if (!widget) return;
    widget.value = line;
    widget.callback?.(line);
    workflowChanged();
    this.node.setDirtyCanvas?.(true, true);
  }
}

app.registerExtension({
  name: "Headcount.PromptReading",
  setup() {
    setInterval(() => { if (!document.hidden) for (const one of all) one.look(); }, TICK);
  },
  nodeCreated(node) {
    if (node.comfyClass === NODE) new PromptReading(node);
  },
});
