// What each mode draws on the canvas, and what it says about the spot that is pointed at.

import { cellAt, colourOf, rangeOf, ranked, tinted } from "./heat.js";
import { paintHeat, paintPicture, paintThings } from "./paint.js";
import { sourceOf } from "./source.js";

/**
 * @typedef {object} Moment
 * @property {import("./data.js").ViewData} data
 * @property {import("./state.js").State} state
 * @property {import("./state.js").Mode} mode
 * @property {number} picture index from 0
 * @property {number} opacity
 * @property {string} scale
 * @property {number[]} words indices of the chosen ones
 * @property {{u: number, v: number} | null} point
 * @property {{image: number, number: number}[]} selected objects
 */

const MAX_RANKED = 6;
const PICKED = 0.45; // cover of an object that is selected
/** @type {[number, number, number]} */
const ATTENTION_COLOUR = [255, 235, 150];

/**
 * Heat of the chosen words.
 * @param {CanvasRenderingContext2D} context
 * @param {Moment} moment
 * @returns {string}
 */
function words(context, { data, state, mode, picture, opacity, scale, words: chosen, point }) {
  paintPicture(context, data.picture(picture), opacity);
  const source = sourceOf(state, mode, data.about);
  const tileOf = (word) => data.tile(source.map, picture, source.row, word);
  const shown = chosen.map((word) => ({ word, tile: tileOf(word) })).filter(({ tile }) => tile);
  const shared = scale === "shared" && shown.length ? rangeOf(shown.map(({ tile }) => tile)) : null;
  for (const { word, tile } of shown) {
    paintHeat(context, tinted(tile, shared ?? [tile.low, tile.high], colourOf(word)), tile, opacity);
  }
  if (!point) return "Hover over the image, or tap it, to see which words matter at a spot.";
  const readable = data.about.words.map(({ text, count }, word) => {
    return { text, tile: count !== null || chosen.includes(word) ? tileOf(word) : null };
  });
  const shares = ranked(readable, point.u, point.v, MAX_RANKED);
  const read = shares.map(({ text, share }) => `${text} ${Math.round(100 * share)} %`).join(", ");
  return `This spot: ${read}. 100 % is where the word is strongest.`;
}

/** Which noun a numbered thing is, and which of its kind. */
function thingOf(number, counts) {
  let before = 0;
  for (const [noun, count] of counts.entries()) {
    if (number <= before + count) return { noun, which: number - before, of: count };
    before += count;
  }
  return { noun: 0, which: number, of: number };
}

/** Outlines of the objects found, and what the spot that is pointed at attends to. */
function objects(context, { data, picture, opacity, point, selected }) {
  const { file, grid, counts } = data.about.instances;
  const labels = data.block(file, grid, picture, 0);
  const here = point ? labels[cellAt(point.u, point.v, ...grid)] : 0;
  paintPicture(context, data.picture(picture), point ? opacity : 0);
  if (point) paintAttention(context, data, picture, point, opacity);
  const many = counts[picture].reduce((sum, count) => sum + count, 0);
  const nouns = data.about.words;
  const image = data.about.pictures[picture].number;
  const picked = selected.filter((one) => one.image === image).map((one) => one.number);
  const things = Array.from({ length: many }, (_, index) => {
    const [number, { noun }] = [index + 1, thingOf(index + 1, counts[picture])];
    const fill = picked.includes(number) ? PICKED : 0;
    return { number, colour: noun, text: String(number), strong: number === here || fill > 0, fill };
  });
  paintThings(context, labels, grid, things);
  if (point) return `This spot: ${nameOf(here, counts[picture], nouns)}. Bright areas are what it attends to.`;
  const found = counts[picture].map((count, noun) => `${count} ${nouns[noun].text}`).join(", ");
  const said = picked.length ? `Selected: ${picked.join(", ")}.` : "Click an object for its mask and box.";
  return `Found ${found}. ${said}`;
}

function nameOf(number, counts, nouns) {
  if (!number) return "no counted object";
  const { noun, which, of } = thingOf(number, counts);
  return `${number}: ${nouns[noun].text}, ${which} of ${of}`;
}

/** Areas that the model treats as one, and what the spot that is pointed at attends to. */
function regions(context, { data, picture, opacity, point }) {
  const { file, grid, counts } = data.about.regions;
  const labels = data.block(file, grid, picture, 0);
  paintPicture(context, data.picture(picture), opacity);
  if (point) paintAttention(context, data, picture, point, opacity);
  const fill = point ? 0 : 0.6 * opacity;
  const areas = Array.from({ length: counts[picture] }, (_, index) => {
    return { number: index + 1, colour: index, text: String(index + 1), strong: false, fill };
  });
  paintThings(context, labels, grid, areas);
  if (point) return "This spot attends to the bright areas.";
  return "Areas that the model treats as one, among those of the counted words.";
}

function paintAttention(context, data, picture, point, opacity) {
  const [height, width] = data.about.attention.grid;
  const values = data.attentionFrom(picture, cellAt(point.u, point.v, height, width));
  if (!values) return;
  const tile = { values, width, height, low: 0, high: 1 };
  paintHeat(context, tinted(tile, [0, 1], ATTENTION_COLOUR), tile, opacity);
}

/** Where Count Guide detected objects, or where it wants them. */
function layout(context, { data, state, picture, opacity }) {
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
  return `Layout ${state.side} the correction (a plan, not the result): ${changes.join(", ")}`;
}

/** @type {Record<string, (context: CanvasRenderingContext2D, moment: Moment) => string>} */
export const SCENES = { words, steps: words, regions, objects, layout };
