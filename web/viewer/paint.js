// Draws a view's picture, heat and outlines on its canvas.

import { borderOf, colourOf, cssColour, middleOf } from "./heat.js";

const MIN_SIDE = 512;
const DIMMED = 0.75;

/** A picture is drawn large enough for thin lines and small numbers. */
export function fit(canvas, picture) {
  const scale = Math.max(1, Math.ceil(MIN_SIDE / Math.max(picture.width, picture.height)));
  const [width, height] = [picture.width * scale, picture.height * scale];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}

/** The picture, greyer and darker the more is to be laid over it, so that only what is laid over it has colour. */
export function paintPicture(context, picture, opacity) {
  const { width, height } = context.canvas;
  context.globalAlpha = 1;
  context.imageSmoothingEnabled = true;
  context.drawImage(picture, 0, 0, width, height);
  context.fillStyle = "black";
  context.globalCompositeOperation = "saturation";
  context.globalAlpha = Math.min(1, 1.5 * opacity);
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = "source-over";
  context.globalAlpha = DIMMED * opacity;
  context.fillRect(0, 0, width, height);
  context.globalAlpha = 1;
}

/** Lay a map's colours over the picture, smoothly; where several maps are bright, their colours mix as light does. */
export function paintHeat(context, pixels, tile, opacity) {
  const small = new OffscreenCanvas(tile.width, tile.height);
  small.getContext("2d").putImageData(new ImageData(pixels, tile.width, tile.height), 0, 0);
  context.globalAlpha = opacity;
  context.globalCompositeOperation = "lighter";
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high"; // without it the cells of a coarse map show as crosses
  context.drawImage(small, 0, 0, context.canvas.width, context.canvas.height);
  context.globalCompositeOperation = "source-over";
  context.globalAlpha = 1;
}

/**
 * Outlines and numbers of the things in a numbered grid.
 * @param {{number: number, colour: number, text: string, strong: boolean, fill: number}[]} things
 */
export function paintThings(context, labels, [height, width], things) {
  const [across, down] = [context.canvas.width / width, context.canvas.height / height];
  for (const thing of things) {
    if (thing.fill > 0) fillThing(context, labels, [height, width], thing);
    context.beginPath();
    for (const [x1, y1, x2, y2] of borderOf(labels, height, width, thing.number)) {
      context.moveTo(x1 * across, y1 * down);
      context.lineTo(x2 * across, y2 * down);
    }
    context.lineCap = "square";
    stroke(context, "rgb(0 0 0 / 70%)", thing.strong ? 7 : 4);
    stroke(context, cssColour(thing.colour), thing.strong ? 4 : 2);
  }
  for (const thing of things) {
    const middle = middleOf(labels, width, thing.number);
    if (middle) paintNumber(context, thing.text, middle[0] * across, middle[1] * down);
  }
}

function stroke(context, style, width) {
  context.strokeStyle = style;
  context.lineWidth = width;
  context.stroke();
}

function fillThing(context, labels, [height, width], thing) {
  const pixels = new Uint8ClampedArray(4 * labels.length);
  labels.forEach((label, cell) => {
    if (label === thing.number) pixels.set([...colourOf(thing.colour), 255], 4 * cell);
  });
  paintHeat(context, pixels, { width, height }, thing.fill);
}

function paintNumber(context, text, x, y) {
  const size = Math.max(16, context.canvas.height / 24);
  context.font = `bold ${size}px sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.strokeStyle = "black";
  context.lineWidth = size / 4;
  context.strokeText(text, x, y);
  context.fillStyle = "white";
  context.fillText(text, x, y);
}

/** A small cross where the view looks at. @param {{u: number, v: number}} point */
export function paintPoint(context, point) {
  const [x, y] = [point.u * context.canvas.width, point.v * context.canvas.height];
  const arm = context.canvas.height / 40;
  context.beginPath();
  context.moveTo(x - arm, y);
  context.lineTo(x + arm, y);
  context.moveTo(x, y - arm);
  context.lineTo(x, y + arm);
  context.lineCap = "butt";
  stroke(context, "black", 4);
  stroke(context, "white", 2);
}
