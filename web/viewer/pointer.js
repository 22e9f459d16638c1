// The place on the picture that is pointed at, with the mouse or with the arrow keys.

const KEY_STEP = 1 / 32;
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const limited = (value) => Math.min(Math.max(value, 0), 0.9999);

/** Where an event lies on the picture, which fills the canvas as far as its shape allows; null beside it. */
function placeOf(canvas, event) {
  const box = canvas.getBoundingClientRect();
  const scale = Math.min(box.width / canvas.width, box.height / canvas.height);
  const u = 0.5 + (event.clientX - box.left - box.width / 2) / (canvas.width * scale);
  const v = 0.5 + (event.clientY - box.top - box.height / 2) / (canvas.height * scale);
  return u >= 0 && u < 1 && v >= 0 && v < 1 ? { u, v } : null;
}

/**
 * A mouse reads where it is, a finger where it taps or drags; what a finger has read stays until the next tap.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {(point: {u: number, v: number} | null) => void} onPoint
 * @param {(point: {u: number, v: number}) => void} onPick a click, a tap, or Enter
 */
export function followPointer(canvas, onPoint, onPick) {
  let point = null;
  const move = (next) => {
    if (next === null && point === null) return;
    point = next;
    onPoint(point);
  };
  for (const name of ["pointerdown", "pointermove"]) {
    canvas.addEventListener(name, (event) => move(placeOf(canvas, event)));
  }
  canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && move(null));
  canvas.addEventListener("click", (event) => {
    const place = placeOf(canvas, event);
    if (place) onPick(place);
  });
  canvas.addEventListener("blur", () => move(null));
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape") move(null);
    if (event.key === "Enter" && point) onPick(point);
    if (!MOVES[event.key]) return;
    event.preventDefault();
    const [x, y] = MOVES[event.key];
    const from = point ?? { u: 0.5, v: 0.5 };
    move({ u: limited(from.u + x * KEY_STEP), v: limited(from.v + y * KEY_STEP) });
  });
}
