// Shows the results and notes of the pack's nodes in the nodes, where they stay.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { takeLivePreviewAway } from "./page/live_preview.js";
import { addElements, alsoAt, workflowChanged } from "./page/node.js";
import { nodeOfRun } from "./page/places.js";
import { atOutput, graphNow, isCurrentShown, nodesOfCurrent, takeOutputs } from "./page/runs.js";
import { Card } from "./result/card.js";
import { takeTablesOut } from "./result/heal.js";
import { keep, readKept, resultsOf } from "./result/state.js";

const NOTE_EVENT = "headcount.note";
const PREFIX = "Headcount";
// These have room for their result from the beginning; the others get it when they have something to say.
const WITH_ROOM = new Set([
  "HeadcountCountCheck", "HeadcountCountSearch", "HeadcountCountSearchPick", "HeadcountT2ICountCounter",
]);
const HEIGHTS = { note: 72, result: 132, longest: 210 }; // beyond the longest, a result scrolls
const MARGINS = 20; // above and below the elements, on the classic canvas
const NEW_NODE = { width: 340, beyondLeast: 60 };

const ENDS = { execution_success: "", execution_interrupted: "stopped", execution_error: "stopped" };

/** @type {WeakMap<object, NodeResult>} */
const ofNodes = new WeakMap();
/** @type {Set<NodeResult>} */
const running = new Set();
/** @type {Set<NodeResult>} of the run that the server is at */
const reached = new Set();

/** What one node says. */
class NodeResult {
  constructor(node) {
    this.node = node;
    this.card = null;
    this.state = "";
    this.progress = ""; // a note during a run, which is kept at its end
    this.run = undefined; // of the workflow, its id
    this.textHeight = 0; // of what the card says, in pixels; 0 before the page has laid it out
    if (WITH_ROOM.has(node.comfyClass)) {
      this.#addCard();
      const [width, height] = node.computeSize();
      node.setSize([Math.max(width, NEW_NODE.width), height + NEW_NODE.beyondLeast]);
    }
    atOutput(node, (output) => this.take(output));
    alsoAt(node, "onConfigure", () => this.draw());
  }

  /** An output of the server. Returns whether it is another than before. */
  take(output) {
    const results = resultsOf(output);
    if (!results) return false;
    const kept = readKept(this.node.properties);
    const isNew = JSON.stringify(kept.results) !== JSON.stringify(results);
    this.#goOn("");
    this.#keep({ results, note: this.progress || (isNew ? "" : kept.note) });
    if (output.images?.length) takeLivePreviewAway(this.node);
    return isNew;
  }

  /** A note on a run of what this node patched; empty takes it away. */
  note(text) {
    this.progress = text;
    if (this.state === "running") this.draw();
    else if (text || readKept(this.node.properties).note) this.#keep({ ...readKept(this.node.properties), note: text });
  }

  /** Called at every step of a run of a workflow; only the first call of each run counts. */
  runs(run) {
    if (this.run === run) return;
    this.run = run;
    this.note("");
    this.#goOn("running");
    this.draw();
  }

  /** Its run is over, and the node has not said anything new but a note. */
  ends(state, note) {
    this.#goOn(state);
    this.note(note);
    if (readKept(this.node.properties).results.length) takeLivePreviewAway(this.node);
    this.draw();
  }

  /** The server has what it would say already: what stopped an earlier run holds no more. */
  isDone() {
    if (this.state) this.ends("", "");
  }

  /** A run stopped before it came here: what the node says is of the run before. */
  isUnreached() {
    this.#goOn("unreached");
    this.draw();
  }

  /** Show what the node's properties say. */
  draw() {
    const { results, note: kept } = readKept(this.node.properties);
    const note = { running: this.progress, unreached: "" }[this.state] ?? kept;
    const says = results.length > 0 || note !== "" || kept !== "";
    if (says && !this.card) this.#addCard();
    if (!says && this.card && !WITH_ROOM.has(this.node.comfyClass)) this.#removeCard();
    this.card?.show(results, note, this.state);
    requestAnimationFrame(() => this.#fit());
    this.node.setDirtyCanvas?.(true, true);
  }

  #goOn(state) {
    this.state = state;
    if (state === "running") running.add(this);
    else running.delete(this);
  }

  #keep(kept) {
    const before = JSON.stringify(readKept(this.node.properties));
    keep(this.node, kept);
    this.draw();
    if (JSON.stringify(readKept(this.node.properties)) !== before) workflowChanged();
  }

  #addCard() {
    this.card = new Card();
    const [least, most] = [() => this.#least(), () => this.#most()];
    this.widget = addElements(this.node, "result", this.card.root, { least, most });
    this.grown = 0;
    this.#makeRoom();
    new ResizeObserver(() => this.#fit()).observe(this.card.root);
  }

  /** As tall as what the card says; while the node runs, the card stays as it is. */
  #fit() {
    const height = this.state ? 0 : this.card?.textHeight() ?? 0;
    if (!height || height === this.textHeight) return;
    this.textHeight = height;
    this.#makeRoom();
  }

  #makeRoom() {
    this.card.root.style.minHeight = `${this.#least() - MARGINS}px`;
    const [width, height] = this.node.size;
    this.node.setSize([width, Math.max(height, this.node.computeSize()[1])]);
    this.grown += this.node.size[1] - height;
  }

  #removeCard() {
    this.node.removeWidget(this.widget);
    this.card = this.widget = null;
    this.textHeight = 0;
    this.node.setSize([this.node.size[0], this.node.size[1] - this.grown]);
  }

  #least() {
    const { results } = readKept(this.node.properties);
    const hasResult = WITH_ROOM.has(this.node.comfyClass) || results.some((one) => one.table);
    return Math.min(Math.max(hasResult ? HEIGHTS.result : HEIGHTS.note, this.textHeight + MARGINS), HEIGHTS.longest);
  }

  /** Leaves what is more to the node's image. */
  #most() {
    return Math.max(this.#least(), this.textHeight + MARGINS);
  }
}

const resultAt = (node) => (node ? ofNodes.get(node) : undefined);
const resultOfRun = (place) => (isCurrentShown() ? resultAt(nodeOfRun(graphNow(), place)) : undefined);
const resultsAt = (places) => (places ?? []).map(resultOfRun).filter(Boolean);

async function stopsBeforeOthers() {
  const met = new Set(reached); // before the next run begins
  for (const one of resultsAt(await nodesOfCurrent())) if (!met.has(one)) one.isUnreached();
}

app.registerExtension({
  name: "Headcount.NodeResults",
  setup() {
    api.addEventListener(NOTE_EVENT, ({ detail }) => {
      resultOfRun(detail?.node)?.note(typeof detail?.text === "string" ? detail.text : "");
    });
    api.addEventListener("execution_start", () => reached.clear());
    api.addEventListener("progress_state", ({ detail }) => {
      for (const [place, { state }] of Object.entries(detail?.nodes ?? {})) {
        const one = resultOfRun(place);
        if (one) reached.add(one);
        if (state === "running") one?.runs(detail.prompt_id);
      }
    });
    api.addEventListener("execution_cached", ({ detail }) => {
      for (const one of resultsAt(detail?.nodes)) {
        reached.add(one);
        one.isDone();
      }
    });
    for (const [event, state] of Object.entries(ENDS)) {
      api.addEventListener(event, ({ detail }) => {
        for (const one of running) one.ends(state, state ? "" : one.progress);
        if (state) stopsBeforeOthers();
        const why = detail?.exception_message?.trim();
        if (why) resultOfRun(detail.node_id)?.ends(state, why);
      });
    }
  },
  beforeConfigureGraph: (graph) => takeTablesOut(graph),
  nodeCreated(node) {
    if (node.comfyClass?.startsWith(PREFIX)) ofNodes.set(node, new NodeResult(node));
  },
  onNodeOutputsUpdated: (outputs) => takeOutputs(outputs, (node, output) => resultAt(node)?.take(output) ?? false),
});
