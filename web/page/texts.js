// Texts of the pack's page elements in the language that the page speaks: locales/<language>/main.json.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

/** @type {Promise<Record<string, {headcount?: Record<string, string>}>> | undefined} */
let served;

/**
 * Set an element's text: in English at once, and translated as soon as the server has sent the translations, unless the
 * element says something else by then. Without a translation, it stays English.
 *
 * @param {HTMLElement} target
 * @param {string} english
 */
export async function setText(target, english) {
  target.textContent = english;
  served ??= api.getCustomNodesI18n().catch(() => ({}));
  const translated = (await served)[app.extensionManager.setting.get("Comfy.Locale")]?.headcount?.[english];
  if (translated && target.textContent === english) target.textContent = translated;
}
