// Tells which of the open workflows a run is of: their nodes have the same ids, and the server names nodes by id alone.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

/** @type {Map<string, object | null>} of each run that this page queued, the workflow */
const workflows = new Map();

/** The workflow in sight. */
export const shownWorkflow = () => app.extensionManager.workflow?.activeWorkflow ?? null;

/** Remember from now on which workflow each queued run is of. */
export function watchQueue() {
  const queue = api.queuePrompt;
  api.queuePrompt = async function (...values) {
    const workflow = shownWorkflow();
    const answer = await queue.apply(this, values);
    if (answer?.prompt_id) workflows.set(answer.prompt_id, workflow);
    return answer;
  };
}

/** Whether a run is of the workflow in sight, as far as is known: a page that was reloaded meanwhile takes it for such. */
export const isOfShownWorkflow = (run) => !workflows.has(run) || workflows.get(run) === shownWorkflow();
