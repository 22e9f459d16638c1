// Tells which of the open workflows a run is of: their nodes have the same ids, and the server names nodes by id alone.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { alsoAt, workflowChanged } from "./node.js";
import { nodeOfOutput } from "./places.js";

const LOADED_MS = 200; // the page takes no change for one while it brings a workflow back into sight

/** @type {Map<string, object | null>} of each run that this page queued, the workflow */
const workflows = new Map();
let current; // the run that the server is at
let loading = 0; // workflows that the page is about to show: their nodes come first, and then it says which one it is

/** The workflow in sight. */
const shownWorkflow = () => app.extensionManager.workflow?.activeWorkflow ?? null;

/** The page tells of runs, and of outputs, before it has a graph: after a reload while something runs. */
export const graphNow = () => (app.isGraphReady ? app.rootGraph : null);

/** Whether the run is of the workflow in sight, as far as is known: a page that was reloaded meanwhile takes it for such. */
export const isCurrentShown = () => !loading && (!workflows.has(current) || workflows.get(current) === shownWorkflow());

/** Remember from now on which workflow each queued run is of, and which one is in sight. */
function watch() {
  const queue = api.queuePrompt;
  api.queuePrompt = async function (...values) {
    const workflow = shownWorkflow();
    const answer = await queue.apply(this, values);
    if (answer?.prompt_id) workflows.set(answer.prompt_id, workflow);
    return answer;
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
