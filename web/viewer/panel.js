// The view's page elements, and how they stand for a state.

import { element } from "../page/element.js";
import { setText } from "../page/texts.js";
import { Chart } from "./chart.js";
import { Chips, Choice, Slider } from "./elements.js";
import { cssColour } from "./heat.js";
import { headOptions, layerOptions, modesOf, sourceOf, stepOf } from "./source.js";

const LABELS = { words: "words", steps: "steps", regions: "regions", objects: "objects found", layout: "layout" };
const NAME_OF_CANVAS = "Image with maps. The arrow keys move the spot that is read, Enter picks the object there.";
/** @type {[string, string][]} */
const SIDES = [["before", "before"], ["after", "after"]];
/** @type {[string, string][]} */
const SCALES = [["per word", "per word"], ["shared", "shared"]];

export class Panel {
  /**
   * @param {(change: Partial<import("./state.js").State>) => void} choose
   * @param {{toggleWord: (index: number) => void, togglePlay: () => void}} press
   */
  constructor(choose, press) {
    this.message = element("div", { className: "hc-message", role: "status" });
    this.chips = new Chips(press.toggleWord, (more) => choose({ more }));
    this.canvas = element("canvas", { tabIndex: 0, role: "img", aria: { label: NAME_OF_CANVAS } });
    this.stage = element("div", { className: "hc-stage" }, [this.canvas]);
    this.readout = element("div", { className: "hc-readout", aria: { live: "polite" } });
    this.mode = new Choice("Show", (mode) => choose({ mode }));
    this.layer = new Choice("Layers", (layer) => choose({ layer }));
    this.heads = new Choice("Heads", (heads) => choose({ heads }));
    this.scale = new Choice("Scale", (scale) => choose({ scale }));
    this.side = new Choice("Layout", (side) => choose({ side }));
    this.step = new Slider("Step", { min: 1 }, (step) => choose({ step }));
    this.play = element("button", { type: "button", className: "hc-play" });
    this.play.addEventListener("click", press.togglePlay);
    this.picture = new Slider("Image", {}, (picture) => choose({ picture }));
    this.opacity = new Slider("Opacity", { step: 0.05 }, (opacity) => choose({ opacity }));
    this.chart = new Chart();
    this.steps = element("div", { className: "hc-line-of-controls" }, [this.step.root, this.play]);
    this.choices = [this.mode, this.layer, this.heads, this.scale, this.side];
    const choices = element("div", { className: "hc-choices" }, this.choices.map((choice) => choice.root));
    this.content = element("div", { hidden: true, style: "display: contents" }, [
      this.chips.root, this.stage, this.readout, choices, this.steps, this.picture.root, this.opacity.root, this.chart.root,
    ]);
    // The second class has Nodes 2.0 give the view what height the node has left.
    this.root = element("div", { className: "headcount-viewer widget-expands" }, [this.message, this.content]);
    this.root.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // the page's shortcuts are for the graph
    });
  }

  /** Say something in place of the view, or above it. */
  say(text, { error = false, hides = false } = {}) {
    setText(this.message, text);
    this.message.hidden = !text;
    this.message.classList.toggle("hc-error", error);
    if (hides) this.content.hidden = true;
  }

  /**
   * Let every control stand for a state.
   * @param {import("./scenes.js").Moment} moment
   */
  set({ data: { about }, state, mode, picture, words, opacity, scale }, isPlaying) {
    const source = sourceOf(state, mode, about);
    this.content.hidden = false;
    const isOfWords = mode === "words" || mode === "steps";
    for (const part of [this.chips, this.scale]) part.root.hidden = !isOfWords;
    for (const part of [this.layer, this.heads]) part.root.hidden = mode !== "words";
    this.side.root.hidden = mode !== "layout";
    this.steps.hidden = mode !== "steps";
    this.chips.set(chips(about, words, about.maps[source.map].columns), state.more);
    this.mode.set(modesOf(about).map((name) => /** @type {[string, string]} */ ([name, LABELS[name]])), mode);
    this.side.set(SIDES, state.side);
    this.layer.set(layerOptions(about), about.layers.some((part) => part.layer === state.layer) ? state.layer : "");
    this.heads.set(headOptions(state, about), source.map === "layers" ? about.layers[source.row].heads : "mean");
    this.scale.set(SCALES, scale);
    this.opacity.set(opacity, `${Math.round(100 * opacity)} %`);
    this.#setSteps(stepOf(state, about), about, source, isPlaying);
    this.#setPicture(about.pictures, picture);
    const shown = mode === "steps" ? about.steps[stepOf(state, about) - 1].step : null;
    this.chart.set(about.losses.of[picture], about.losses.steps, shown);
  }

  /** Pictures of a batch have numbers, frames of a video have names. */
  #setPicture(pictures, at) {
    const { name, number } = pictures[at];
    this.picture.root.hidden = pictures.length < 2;
    this.picture.call(name ? "Frame" : "Image");
    this.picture.set(at, name ?? `number ${number}`, pictures.length - 1);
  }

  #setSteps(step, about, source, isPlaying) {
    this.step.set(step, source.text, about.steps.length);
    this.play.textContent = isPlaying ? "Stop" : "Play";
    this.play.setAttribute("aria-label", isPlaying ? "Stop playing the steps" : "Play the steps");
  }
}

function chips(about, shown, known) {
  return about.words.map(({ text, count }, index) => {
    return { text, count, colour: cssColour(index), shown: shown.includes(index), known: index < known };
  });
}
