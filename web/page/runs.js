// Tells which of the open workflows a run is of: their nodes have the same ids, and the server names nodes by id alone.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { alsoAt, workflowChanged } from "./node.js";
import { nodeOfOutput } from "./places.js";

const LOADED_MS = 200; // the page takes no change for one while it brings a workflow back into sight

/** @type {Map<string, {workflow: object | null, nodes: string[]}>} of each run that this page queued; nodes by their ids */
const queued = new Map();
let answered; // when the server has said which run it is that was queued last: a short one can be over by then
let current; // the run that the server is at
let loading = 0; // workflows that the page is about to show: their nodes come first, and then it says which one it is

/** The workflow in sight. */
const shownWorkflow = () => app.extensionManager.workflow?.activeWorkflow ?? null;

/** The page tells of runs, and of outputs, before it has a graph: after a reload while something runs. */
export const graphNow = () => (app.isGraphReady ? app.rootGraph : null);

/** Whether the run is of the workflow in sight, as far as is known: a page that was reloaded meanwhile takes it for such. */
export const isCurrentShown = () => !loading && (!queued.has(current) || queued.get(current).workflow === shownWorkflow());

/** Ids of the nodes of the run that the server is at, or was at last; none of a run that this page did not queue. */
export async function nodesOfCurrent() {
  const run = current;
  await answered;
  return queued.get(run)?.nodes ?? [];
}

/** Remember from now on which workflow each queued run is of, and which one is in sight. */
function watch() {
  const queue = api.queuePrompt;
  api.queuePrompt = function (number, prompt, ...more) {
    const run = { workflow: shownWorkflow(), nodes: Object.keys(prompt?.output ?? {}) };
    const asked = queue.call(this, number, prompt, ...more);
    answered = asked.then(({ prompt_id: id }) => queued.set(id, run)).catch(() => {}); // refused: there is no run
    return asked;
  };
  const load = app.loadGraphData;
  app.loadGraphData = async function (...values) {
    loading += 1;
    try {
      return await load.apply(this, values);
    } finally {
      loading -= 1;
    }
  };
  api.addEventListener("execution_start", ({ detail }) => { current = detail?.prompt_id; });
}

watch();

/** Call `then` with what the server says of a node, in a run of the workflow in sight. */
export function atOutput(node, then) {
  alsoAt(node, "onExecuted", (output) => { if (isCurrentShown()) then(output); });
}

/**
 * Outputs of a workflow that comes back into sight: it may have run behind another one.
 *
 * @param {Object<string, object>} outputs as the page has them
 * @param {(node: object | null, output: object) => boolean} take whether that changed the workflow
 */
export function takeOutputs(outputs, take) {
  const isNew = Object.entries(outputs ?? {}).map(([name, output]) => take(nodeOfOutput(graphNow(), name), output));
  const workflow = shownWorkflow();
  if (isNew.includes(true)) setTimeout(() => { if (shownWorkflow() === workflow) workflowChanged(); }, LOADED_MS);
}
