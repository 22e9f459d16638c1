// The page keeps the live preview of a node after its run, and shows it beside the node's images (Nodes 2.0) or instead of
// them (classic canvas). It has no call for extensions to take one away: its store has, and where that is gone, both stay.

/** Show a node's images again, not its live preview. */
export function takeLivePreviewAway(node) {
  /** @type {any} */
  const page = document.querySelector("#vue-app");
  const stores = page?.__vue_app__?.config.globalProperties.$pinia?._s;
  const { graph } = node;
  const place = !graph || graph.isRootGraph ? String(node.id) : `${graph.id}:${node.id}`;
  stores?.get("nodeOutput")?.revokePreviewsByLocatorId?.(place);
  node.images = node.preview = undefined; // the classic canvas loads the images again
  node.setDirtyCanvas?.(true, true);
}
