// Which of a view's maps are shown, and which files that takes.

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./data.js").ViewData} ViewData */

/** @typedef {{map: "mean" | "steps" | "layers", row: number, text: string}} Source */

/** Step of the slider, 0 for the mean; a state may be of a longer run. */
export function stepOf(state, about) {
  return Math.min(state.step, about.steps.length);
}

/** Picture of the slider, from 0. */
function pictureOf(state, about) {
  return Math.min(state.picture, about.pictures.length - 1);
}

const MODE_OF_NODE = { regions: "instances", layout: "layouts" };

/** The mode: of the state, else of the node's setting, as far as the view has what it takes. */
function modeOf(state, settings, about) {
  const mode = state.mode ?? MODE_OF_NODE[settings.show] ?? "words";
  return mode === "layouts" && !about.layouts ? "words" : mode;
}

const sameLayer = (state) => (part) => part.layer === state.layer;

/** @param {State} state @returns {Source} */
export function sourceOf(state, about) {
  const parts = about.layers.filter(sameLayer(state));
  if (parts.length) {
    const part = parts.find((one) => one.heads === state.heads) ?? parts[0];
    return { map: "layers", row: about.layers.indexOf(part), text: whenOf(part, about) };
  }
  const step = stepOf(state, about);
  if (step === 0) return { map: "mean", row: 0, text: meanOf(about) };
  return { map: "steps", row: step - 1, text: `step ${about.steps[step - 1].step}` };
}

function meanOf({ losses: { steps } }) {
  return steps.length === 1 ? `step ${steps[0]}` : `mean of ${steps.length} steps`;
}

const whenOf = (part, about) => (part.step === null ? meanOf(about) : `step ${part.step + 1}`);

/** Layers to choose from: value and name. @returns {[string, string][]} */
export function layerOptions(about) {
  const names = [...new Set(about.layers.map((part) => part.layer))];
  return [["", "all"], ...names.map((name) => /** @type {[string, string]} */ ([name, name]))];
}

/** Heads to choose from in the chosen layer: [value, name]. */
export function headOptions(state, about) {
  const names = { mean: "mean", strongest: "strongest" };
  const parts = about.layers.filter(sameLayer(state));
  return parts.length ? parts.map((part) => [part.heads, names[part.heads]]) : [["mean", "mean"]];
}

/** Indices of the chosen words: of the state, else of the node's text, else the counted ones. */
function chosenWords(state, about, asked = "") {
  const names = about.words.map((word) => word.text.toLowerCase());
  const wanted = state.words ?? asked.split(",").map((word) => word.trim()).filter((word) => word);
  if (state.words === null && wanted.length === 1 && wanted[0] === "all") return names.map((_, index) => index);
  const found = wanted.map((word) => names.indexOf(word.toLowerCase())).filter((index) => index >= 0);
  if (found.length || state.words?.length === 0) return [...new Set(found)];
  return names.map((_, index) => index).filter((index) => about.words[index].count !== null);
}

/** Files that a drawing takes. @param {import("./scenes.js").Moment} moment */
export function filesOf({ data: { about }, state, mode, picture, point }) {
  const files = [about.pictures[picture].file];
  if (mode === "words") files.push(about.maps[sourceOf(state, about).map].file);
  if (mode === "instances") files.push(about.instances.file);
  if (mode === "instances" && point) files.push(about.attention.file);
  if (mode === "layouts") files.push(...about.layouts.nouns.map((noun) => noun.file));
  return files;
}

/**
 * All that a drawing depends on.
 * @param {ViewData} data
 * @param {State} state
 * @param {import("./view.js").Settings} settings of the node, for what was not chosen in the view
 * @param {{u: number, v: number} | null} point
 * @returns {import("./scenes.js").Moment}
 */
export function momentOf(data, state, settings, point) {
  return {
    data,
    state,
    point,
    mode: modeOf(state, settings, data.about),
    picture: pictureOf(state, data.about),
    opacity: state.opacity ?? settings.opacity ?? 0.7,
    scale: state.scale ?? settings.scale ?? "per word",
    words: chosenWords(state, data.about, settings.words),
  };
}
