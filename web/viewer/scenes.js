// What each mode draws on the canvas, and what it says about the place that is pointed at.

import { cellAt, colourOf, rangeOf, ranked, tinted } from "./heat.js";
import { paintHeat, paintPicture, paintThings } from "./paint.js";
import { sourceOf } from "./source.js";

/**
 * @typedef {object} Moment
 * @property {import("./data.js").ViewData} data
 * @property {import("./state.js").State} state
 * @property {"words" | "instances" | "layouts"} mode
 * @property {number} picture index from 0
 * @property {number} opacity
 * @property {string} scale
 * @property {number[]} words indices of the chosen ones
 * @property {{u: number, v: number} | null} point
 */

const MAX_RANKED = 6;
/** @type {[number, number, number]} */
const ATTENTION_COLOUR = [255, 235, 150];

/**
 * Heat of the chosen words.
 * @param {CanvasRenderingContext2D} context
 * @param {Moment} moment
 * @returns {string}
 */
function words(context, { data, state, picture, opacity, scale, words: chosen, point }) {
  paintPicture(context, data.picture(picture), opacity);
  const source = sourceOf(state, data.about);
  const tileOf = (word) => data.tile(source.map, picture, source.row, word);
  const shown = chosen.map((word) => ({ word, tile: tileOf(word) })).filter(({ tile }) => tile);
  const shared = scale === "shared" && shown.length ? rangeOf(shown.map(({ tile }) => tile)) : null;
  for (const { word, tile } of shown) {
    paintHeat(context, tinted(tile, shared ?? [tile.low, tile.high], colourOf(word)), tile, opacity);
  }
  if (!point) return "Point at the picture to read which words a place looks at.";
  const all = data.about.words.map(({ text }, word) => ({ text, tile: tileOf(word) }));
  const shares = ranked(all, point.u, point.v, MAX_RANKED);
  return `Here: ${shares.map(({ text, share }) => `${text} ${percent(share)}`).join(", ")}`;
}

const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

/** Which noun a numbered thing is, and which of its kind. */
function thingOf(number, counts) {
  let before = 0;
  for (const [noun, count] of counts.entries()) {
    if (number <= before + count) return { noun, which: number - before, of: count };
    before += count;
  }
  return { noun: 0, which: number, of: number };
}

/** Outlines of the things found, and where the place that is pointed at looks. */
function instances(context, { data, picture, opacity, point }) {
  const { file, grid, counts } = data.about.instances;
  const labels = data.block(file, grid, picture, 0);
  const here = point ? labels[cellAt(point.u, point.v, ...grid)] : 0;
  paintPicture(context, data.picture(picture), point ? opacity : 0);
  if (point) paintAttention(context, data, picture, point, opacity);
  const many = counts[picture].reduce((sum, count) => sum + count, 0);
  const nouns = data.about.words;
  const things = Array.from({ length: many }, (_, index) => {
    const { noun } = thingOf(index + 1, counts[picture]);
    return { number: index + 1, colour: noun, text: String(index + 1), strong: index + 1 === here, fill: 0 };
  });
  paintThings(context, labels, grid, things);
  if (!point) {
    const found = counts[picture].map((count, noun) => `${nouns[noun].text} ${count}`).join(", ");
    return `Found: ${found}. Point at a place to see where it looks.`;
  }
  const thing = thingOf(here, counts[picture]);
  const name = here ? `${here}: ${nouns[thing.noun].text}, ${thing.which} of ${thing.of}` : "nothing that is counted";
  return `Here: ${name}. Bright is what this place looks at (self-attention).`;
}

function paintAttention(context, data, picture, point, opacity) {
  const [height, width] = data.about.attention.grid;
  const values = data.attentionFrom(picture, cellAt(point.u, point.v, height, width));
  if (!values) return;
  const tile = { values, width, height, low: 0, high: 1 };
  paintHeat(context, tinted(tile, [0, 1], ATTENTION_COLOUR), tile, opacity);
}

/** Where NUMINA saw things, or where it wants them. */
function layouts(context, { data, state, picture, opacity }) {
  const { nouns } = data.about.layouts;
  const side = state.side === "before" ? 0 : 1;
  paintPicture(context, data.picture(picture), opacity);
  nouns.forEach(({ file, grid }, colour) => {
    const labels = data.block(file, grid, picture, side);
    const numbers = [...new Set(labels)].filter((label) => label > 0).sort((one, other) => one - other);
    const things = numbers.map((number, index) => {
      return { number, colour, text: String(index + 1), strong: false, fill: 0.6 * opacity };
    });
    paintThings(context, labels, grid, things);
  });
  const changes = nouns.map(({ noun, counts }) => `${noun} ${counts[picture][0]} → ${counts[picture][1]}`);
  return `Layout ${state.side} the correction. ${changes.join(", ")}`;
}

/** @type {Record<string, (context: CanvasRenderingContext2D, moment: Moment) => string>} */
export const SCENES = { words, instances, layouts };
