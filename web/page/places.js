// Finds nodes by the names that the server and the page have for them.

/** @param {string} path id of a node, after those of the subgraphs around it, separated by colons */
export function nodeOfRun(graph, path) {
  let [place, node] = [graph, null];
  for (const id of String(path).split(":")) {
    node = place?.getNodeById(Number.isNaN(Number(id)) ? id : Number(id)) ?? null;
    place = node?.subgraph;
  }
  return node;
}

/** @param {string} name id of a node, after that of the definition of its subgraph and a colon */
export function nodeOfOutput(graph, name) {
  const [id, subgraph] = name.split(":").reverse();
  return nodeOfRun(subgraph ? graph?.subgraphs?.get(subgraph) : graph, id);
}
