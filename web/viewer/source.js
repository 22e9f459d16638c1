// Which of a view's maps are shown, and which files that takes.

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./data.js").ViewData} ViewData */

/** @typedef {{map: "mean" | "steps" | "layers", row: number, text: string}} Source */

/** Step of the slider, from 1; a state may be of a longer run. */
export function stepOf(state, about) {
  return Math.min(Math.max(state.step, 1), about.steps.length);
}

/** Picture of the slider, from 0. */
function pictureOf(state, about) {
  return Math.min(state.picture, about.pictures.length - 1);
}

/** The mode: of the state, else of the node's setting, as far as the view has what it takes. */
function modeOf(state, settings, about) {
  const mode = state.mode ?? settings.show ?? "words";
  return modesOf(about).includes(mode) ? mode : "words";
}

/** What a view can show. */
export function modesOf(about) {
  return ["words", "steps", "regions", "objects", ...(about.layouts ? ["layout"] : [])];
}

const sameLayer = (state) => (part) => part.layer === state.layer;

/** @param {State} state @param {string} mode @returns {Source} */
export function sourceOf(state, mode, about) {
  if (mode === "steps") {
    const step = stepOf(state, about);
    return { map: "steps", row: step - 1, text: `step ${about.steps[step - 1].step}` };
  }
  const parts = about.layers.filter(sameLayer(state));
  if (parts.length) {
    const part = parts.find((one) => one.heads === state.heads) ?? parts[0];
    return { map: "layers", row: about.layers.indexOf(part), text: whenOf(part, about) };
  }
  return { map: "mean", row: 0, text: meanOf(about) };
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

/**
 * Objects that were picked, as the node's setting says: "1:3" is object 3 of image 1.
 * @param {string} setting
 * @returns {{image: number, number: number}[]}
 */
export function selectedObjects(setting = "") {
  const pairs = [...setting.matchAll(/(\d+):(\d+)/g)];
  return pairs.map(([, image, number]) => ({ image: Number(image), number: Number(number) }));
}

/** Files that a drawing takes. @param {import("./scenes.js").Moment} moment */
export function filesOf({ data: { about }, state, mode, picture, point }) {
  const files = [about.pictures[picture].file];
  if (mode === "words" || mode === "steps") files.push(about.maps[sourceOf(state, mode, about).map].file);
  if (mode === "regions") files.push(about.regions.file);
  if (mode === "objects") files.push(about.instances.file);
  if ((mode === "regions" || mode === "objects") && point) files.push(about.attention.file);
  if (mode === "layout") files.push(...about.layouts.nouns.map((noun) => noun.file));
  return files;
}

/**
 * All that a drawing depends on.
 * @param {ViewData} data
 * @param {State} state
 * @param {import("./view.js").Settings} settings of the node
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
    selected: selectedObjects(settings.selected),
  };
}
