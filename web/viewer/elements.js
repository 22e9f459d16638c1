// Controls of the view. Text is only ever set as text.

import { element } from "../page/element.js";

/** A slider with its name before it and what it stands at behind it. */
export class Slider {
  constructor(name, { min = 0, max = 1, step = 1 }, onInput) {
    this.input = element("input", { type: "range", min, max, step });
    this.output = element("span", { className: "hc-value" });
    this.name = element("span", { className: "hc-name" });
    this.root = element("label", { className: "hc-row" }, [this.name, this.input, this.output]);
    this.call(name);
    this.input.addEventListener("input", () => onInput(Number(this.input.value)));
  }

  /** Take another name. */
  call(name) {
    this.name.textContent = name;
    this.input.setAttribute("aria-label", name);
  }

  /** Stand at a value, and say so in words. */
  set(value, text, max = Number(this.input.max)) {
    this.input.max = max;
    this.input.value = value;
    this.output.textContent = text;
    this.input.setAttribute("aria-valuetext", text);
  }
}

/** A choice among named values. */
export class Choice {
  constructor(name, onChange) {
    this.select = element("select", { aria: { label: name } });
    this.root = element("label", { className: "hc-choice" }, [
      element("span", { className: "hc-name", textContent: name }), this.select,
    ]);
    this.select.addEventListener("change", () => onChange(this.select.value));
  }

  /** @param {[string, string][]} options values and what they are called */
  set(options, value) {
    const known = [...this.select.options].map((option) => [option.value, option.textContent]);
    if (JSON.stringify(known) !== JSON.stringify(options)) {
      this.select.replaceChildren(...options.map(([key, text]) => element("option", { value: key, textContent: text })));
    }
    this.select.value = value;
    this.select.disabled = options.length < 2;
  }
}

/** A button per word, pressed for those that are shown; the words that nothing is counted of are behind one more. */
export class Chips {
  constructor(onToggle, onMore) {
    this.onToggle = onToggle;
    this.more = element("button", { type: "button", className: "hc-more" });
    this.more.addEventListener("click", () => onMore(this.more.getAttribute("aria-expanded") !== "true"));
    this.chips = [];
    this.root = element("div", { className: "hc-chips", role: "group", aria: { label: "Words" } });
  }

  /**
   * @param {{text: string, count: number | null, colour: string, shown: boolean, known: boolean}[]} words
   * @param {boolean} more whether all of them are offered
   */
  set(words, more) {
    if (this.chips.length !== words.length) {
      this.chips = words.map((_, at) => this.#chip(at));
      this.root.replaceChildren(...this.chips, this.more);
    }
    const others = words.filter((word) => word.count === null).length;
    this.more.hidden = others === 0 || others === words.length;
    this.more.textContent = more ? "fewer words" : `${others} more`;
    this.more.setAttribute("aria-expanded", String(more));
    words.forEach((word, at) => {
      const chip = this.chips[at];
      chip.hidden = !(more || word.count !== null || word.shown || others === words.length);
      chip.textContent = word.count === null ? word.text : `${word.text} × ${word.count}`;
      chip.style.setProperty("--hc-colour", word.colour);
      chip.setAttribute("aria-pressed", String(word.shown && word.known));
      chip.disabled = !word.known;
      chip.title = word.known ? "" : "Kept only as the mean over the run and all layers.";
    });
  }

  #chip(at) {
    const chip = element("button", { type: "button", className: "hc-chip" });
    chip.addEventListener("click", () => this.onToggle(at));
    return chip;
  }
}
