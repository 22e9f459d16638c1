// Mends workflows that pages of ComfyUI before 1.47 saved: there the node's table stood behind the values of its widgets,
// and at the next opening slid into a text field.

const WITH_TABLE = new Set([
  "HeadcountCountCheck", "HeadcountCountSearch", "HeadcountCountSearchPick", "HeadcountT2ICountCounter",
]);
const TABLE = /^(asked: |(picture|image) 1: )/;

const isTable = (value) => typeof value === "string" && TABLE.test(value);

/** @param {object} graph a workflow, before the page reads it; changed in place */
export function takeTablesOut(graph) {
  for (const part of [graph, ...(graph?.definitions?.subgraphs ?? [])]) {
    for (const node of part?.nodes ?? []) {
      const values = node?.widgets_values;
      if (!WITH_TABLE.has(node?.type) || !Array.isArray(values)) continue;
      while (isTable(values.at(-1))) values.pop();
      values.forEach((value, at) => {
        if (isTable(value)) values[at] = "";
      });
    }
  }
}
