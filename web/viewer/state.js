// What is chosen in a view. It lies in the node's properties, so that a workflow keeps it; maps and pictures never do.

const PROPERTY = "headcount_viewer";
const FOLDER = /^headcount_viewer\/view_[0-9a-f]{8}$/;
const MODES = ["words", "steps", "regions", "objects", "layout"];
const FORMER_MODES = { instances: "objects", layouts: "layout" }; // until 0.6

/**
 * @typedef {"words" | "steps" | "regions" | "objects" | "layout"} Mode
 *
 * @typedef {object} State
 * @property {string} folder where the files of the view lie in ComfyUI's temporary folder; empty before the first run
 * @property {Mode | null} mode null for the node's setting; so are words, opacity and scale. The view writes the node's
 *   settings: other values are those of a workflow that was saved before it did
 * @property {string[] | null} words
 * @property {number} step number of the shown step, from 1; 0 for the first
 * @property {string} layer empty for all of them
 * @property {string} heads "mean" or "strongest"
 * @property {number} picture index from 0
 * @property {number | null} opacity 0 to 1
 * @property {string | null} scale "per word" or "shared"
 * @property {"before" | "after"} side of a layout
 * @property {boolean} more whether the words that nothing is counted of are offered
 */

/** Is this a folder that the node writes to? A workflow may come from anywhere. */
export function isViewFolder(folder) {
  return typeof folder === "string" && FOLDER.test(folder);
}

const whole = (value) => (Number.isInteger(value) && value >= 0 ? value : 0);
const text = (value) => (typeof value === "string" ? value : "");

/** A state from before there was "more" showed in words the chosen step, of all layers; words now show the mean of all steps. */
function modeOf(kept) {
  const mode = FORMER_MODES[kept.mode] ?? kept.mode ?? null;
  const isOfWords = (mode === null || mode === "words") && !text(kept.layer);
  return kept.more === undefined && isOfWords && whole(kept.step) > 0 ? "steps" : mode;
}

/**
 * @param {object} properties of the node, out of any workflow file
 * @returns {State}
 */
export function readState(properties) {
  const kept = properties?.[PROPERTY] ?? {};
  const mode = modeOf(kept);
  return {
    folder: isViewFolder(kept.folder) ? kept.folder : "",
    mode: MODES.includes(mode) ? mode : null,
    words: Array.isArray(kept.words) ? kept.words.filter((word) => typeof word === "string") : null,
    step: whole(kept.step),
    layer: text(kept.layer),
    heads: kept.heads === "strongest" ? "strongest" : "mean",
    picture: whole(kept.picture),
    opacity: Number.isFinite(kept.opacity) ? Math.min(Math.max(kept.opacity, 0), 1) : null,
    scale: ["per word", "shared"].includes(kept.scale) ? kept.scale : null,
    side: kept.side === "before" ? "before" : "after",
    more: kept.more === true,
  };
}

/** Keep a state in the node's properties. */
export function writeState(node, state) {
  node.properties ??= {};
  node.properties[PROPERTY] = { ...state };
}
