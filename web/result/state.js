// What a node says, kept in its properties: a workflow keeps it. The server writes the same into the images that it saves
// (bridge/comfyui/saved_results.py), and a workflow may come from anywhere.

const RESULTS = "headcount_result";
const NOTE = "headcount_note";
const MAX_RESULTS = 64;
const MAX_MARKS = 512;
const MAX_LETTERS = 30000;

/**
 * @typedef {object} Result
 * @property {string} verdict the line that is read first
 * @property {boolean | null} right
 * @property {boolean[]} marks right or wrong, for each image
 * @property {string} table
 * @property {string} note what the user should know or change
 * @property {string} inputs a mark of the server's, by which it knows whether a later run can change the result
 */

const text = (value) => (typeof value === "string" ? value.slice(0, MAX_LETTERS) : "");

/** @returns {Result[]} of a list out of any workflow file or message */
export function asResults(list) {
  const found = Array.isArray(list) ? list.filter((one) => one !== null && typeof one === "object") : [];
  return found.slice(0, MAX_RESULTS).map((one) => ({
    verdict: text(one.verdict),
    right: typeof one.right === "boolean" ? one.right : null,
    marks: Array.isArray(one.marks) ? one.marks.slice(0, MAX_MARKS).map((mark) => mark === true) : [],
    table: text(one.table),
    note: text(one.note),
    inputs: text(one.inputs),
  }));
}

/** What an output of the server says; null for one that is not of this pack. */
export function resultsOf(output) {
  return Array.isArray(output?.[RESULTS]) ? asResults(output[RESULTS]) : null;
}

/** @returns {{results: Result[], note: string}} */
export function readKept(properties) {
  return { results: asResults(properties?.[RESULTS]), note: text(properties?.[NOTE]) };
}

/** Keep what a node says; nothing takes no place in the workflow. */
export function keep(node, { results, note }) {
  node.properties ??= {};
  if (results.length) node.properties[RESULTS] = results;
  else delete node.properties[RESULTS];
  if (note) node.properties[NOTE] = note;
  else delete node.properties[NOTE];
}
