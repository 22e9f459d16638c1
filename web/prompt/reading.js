// Asks the server what a prompt counts: the same code as in a run (bridge/prompts/reading_route.py).

import { api } from "../../../scripts/api.js";

const PATH = "/headcount/read";
const LATER = { busy: 1000, away: 5000 }; // ms
const MAX_CHIPS = 40;
const MAX_NOTES = 10;
const TOO_LONG = 413;

const text = (value) => (typeof value === "string" ? value : "");

/**
 * @typedef {object} Reading
 * @property {{count: number, noun: string, name: string, shown: string}[]} objects
 * @property {string[]} notes on what is said rather than counted
 * @property {string} error why the objects line cannot be read
 * @property {number} [again] milliseconds after which to ask again; the server is away
 */

/** @returns {Promise<Reading>} */
export async function readingOf(prompt, objects) {
  const nothing = { objects: [], notes: [], error: "" };
  try {
    const body = JSON.stringify({ text: prompt, objects });
    const answer = await api.fetchApi(PATH, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (answer.status === TOO_LONG) return { ...nothing, error: text((await answer.json()).error) };
    if (!answer.ok) return { ...nothing, again: LATER.busy };
    return asReading(await answer.json());
  } catch {
    return { ...nothing, again: LATER.away };
  }
}

function asReading({ objects, notes, error }) {
  const found = Array.isArray(objects) ? objects.slice(0, MAX_CHIPS) : [];
  return {
    objects: found.map((one) => ({ count: Number(one?.count), noun: text(one?.noun), name: text(one?.name), shown: text(one?.shown) })),
    notes: Array.isArray(notes) ? notes.slice(0, MAX_NOTES).map(text) : [],
    error: text(error),
  };
}
