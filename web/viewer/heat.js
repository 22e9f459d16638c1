// Arithmetic on maps: no page, no files.

/** @typedef {import("./data.js").Tile} Tile */

const GOLDEN_RATIO = 0.61803398875;
const FIRST_HUE = 0.53; // cyan, then yellow: told apart by colour-blind eyes too
const LIGHTNESS = 0.6;
const CONTRAST = 1.6; // much of a picture looks a little at every word

/** The colour of a word or a noun: bright, each hue far from the ones before it. @returns {[number, number, number]} */
export function colourOf(index) {
  const hue = (FIRST_HUE + index * GOLDEN_RATIO) % 1;
  const part = (shift) => {
    const place = (shift + hue * 12) % 12;
    return Math.round(255 * (LIGHTNESS - (1 - LIGHTNESS) * Math.max(-1, Math.min(place - 3, 9 - place, 1))));
  };
  return [part(0), part(8), part(4)];
}

export const cssColour = (index) => `rgb(${colourOf(index).join(" ")})`;

/** The value at a place. @param {Tile} tile @param {number} u 0 to 1 from the left @param {number} v from the top */
export function valueAt(tile, u, v) {
  return tile.low + (tile.values[cellAt(u, v, tile.height, tile.width)] / 255) * (tile.high - tile.low);
}

/** Which cell of a grid, row by row, a place falls into. */
export function cellAt(u, v, height, width) {
  const x = Math.min(Math.floor(u * width), width - 1);
  const y = Math.min(Math.floor(v * height), height - 1);
  return y * width + x;
}

/** The least and the largest value of several maps. @param {Tile[]} tiles @returns {[number, number]} */
export function rangeOf(tiles) {
  return [Math.min(...tiles.map((tile) => tile.low)), Math.max(...tiles.map((tile) => tile.high))];
}

/**
 * A map as one colour that covers the more the higher the value is.
 * @param {Tile} tile
 * @param {[number, number]} range the values that cover nothing and all
 * @param {[number, number, number]} colour
 * @returns {Uint8ClampedArray} red, green, blue and cover of each cell
 */
export function tinted(tile, [low, high], colour) {
  const pixels = new Uint8ClampedArray(4 * tile.values.length);
  for (let cell = 0; cell < tile.values.length; cell++) {
    const value = tile.low + (tile.values[cell] / 255) * (tile.high - tile.low);
    const share = Math.max((value - low) / Math.max(high - low, 1e-12), 0);
    pixels.set(colour, 4 * cell);
    pixels[4 * cell + 3] = 255 * share ** CONTRAST;
  }
  return pixels;
}

/**
 * Words by how strong they are at a place, as a share of their strongest place, the strongest first.
 * @param {{text: string, tile: Tile | null}[]} words
 */
export function ranked(words, u, v, most) {
  return words
    .filter((word) => word.tile)
    .map((word) => ({ text: word.text, share: valueAt(word.tile, u, v) / Math.max(word.tile.high, 1e-12) }))
    .sort((one, other) => other.share - one.share)
    .slice(0, most);
}

/**
 * The border lines of a numbered grid, in cells.
 * @param {Uint8Array} labels row by row
 * @param {number} number whose border
 * @returns {[number, number, number, number][]} from x, y to x, y
 */
export function borderOf(labels, height, width, number) {
  /** @type {[number, number, number, number][]} */
  const lines = [];
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && labels[y * width + x] === number;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!inside(x, y)) continue;
      if (!inside(x, y - 1)) lines.push([x, y, x + 1, y]);
      if (!inside(x, y + 1)) lines.push([x, y + 1, x + 1, y + 1]);
      if (!inside(x - 1, y)) lines.push([x, y, x, y + 1]);
      if (!inside(x + 1, y)) lines.push([x + 1, y, x + 1, y + 1]);
    }
  }
  return lines;
}

/** The cell in the middle of a number's cells, as [x, y]; null where there is none. */
export function middleOf(labels, width, number) {
  let [count, x, y] = [0, 0, 0];
  labels.forEach((label, cell) => {
    if (label !== number) return;
    count += 1;
    x += (cell % width) + 0.5;
    y += Math.floor(cell / width) + 0.5;
  });
  return count ? [x / count, y / count] : null;
}
