// Builds page elements. Text is only ever set as text.

/**
 * @param {string} tag
 * @param {object} properties of the element; "aria" holds its aria attributes
 * @param {(Node | string)[]} children
 */
export function element(tag, { aria = {}, ...properties } = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value);
  made.append(...children);
  return made;
}
