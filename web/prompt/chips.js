// The chips under Count Prompt: what is counted, and in amber what is not. A click on one corrects it.

import { element } from "../page/element.js";
import { setText } from "../page/texts.js";

const LABEL = "What is counted";
const CORRECT = "Correct the count or the noun";
const TEXTS = {
  nothing: "No number found: nothing will be steered.",
  empty: "What is counted shows here.",
  linked: "What is counted comes from another node: it is read when the workflow runs.",
  away: "The server does not answer.",
};

export class Chips {
  /** @param {(line: string) => void} write gets a new objects line */
  constructor(write) {
    this.write = write;
    this.root = element("div", { className: "headcount-reading", role: "group", aria: { label: LABEL, live: "polite" } });
    this.#say(TEXTS.empty, "hc-quiet");
  }

  /**
   * @param {import("./reading.js").Reading} reading
   * @param {boolean} isEmpty whether there is no text at all
   */
  show(reading, isEmpty) {
    if (this.root.querySelector("input")) return; // somebody corrects a chip
    this.reading = reading;
    const chips = reading.objects.map((one, index) => this.#chip(one, index));
    const notes = [reading.error, ...reading.notes].filter(Boolean).map((note) => element("span", { className: "hc-note", textContent: note }));
    if (chips.length || notes.length) this.root.replaceChildren(...chips, ...notes);
    if (!chips.length && !reading.error) {
      if (isEmpty) this.#say(TEXTS.empty, "hc-quiet");
      else this.#say(TEXTS.nothing, "hc-note", notes);
    }
  }

  showLinked() {
    this.#say(TEXTS.linked, "hc-quiet");
  }

  showAway() {
    this.#say(TEXTS.away, "hc-quiet");
  }

  #say(english, className, behind = []) {
    const said = element("span", { className });
    setText(said, english);
    this.root.replaceChildren(said, ...behind);
  }

  #chip({ shown }, index) {
    const chip = element("button", { className: "hc-chip", type: "button", textContent: shown, title: CORRECT });
    chip.addEventListener("click", () => this.#edit(chip, index));
    return chip;
  }

  /** Two fields in the place of a chip: Enter takes them over, Escape does not. */
  #edit(chip, index) {
    const { count, name } = this.reading.objects[index];
    const number = element("input", { type: "number", min: "0", max: "9999", value: String(count), aria: { label: "count" } });
    const noun = element("input", { type: "text", value: name, aria: { label: "noun" } });
    const form = element("span", { className: "hc-edit" }, [number, noun]);
    let isOpen = true;
    const close = () => { // the focus leaves the form while it goes
      if (isOpen) {
        isOpen = false;
        form.replaceWith(chip);
      }
    };
    form.addEventListener("keydown", (event) => {
      event.stopPropagation(); // the page has shortcuts
      if (event.key !== "Escape" && event.key !== "Enter") return;
      event.preventDefault(); // no click on the chip that has the focus next
      close();
      chip.focus();
      if (event.key === "Enter") this.#correct(index, Number(number.value), noun.value.trim());
    });
    form.addEventListener("focusout", (event) => {
      if (!form.contains(event.relatedTarget)) close();
    });
    chip.replaceWith(form);
    number.select();
    number.focus();
  }

  /** 0 takes an object away. */
  #correct(index, count, noun) {
    const objects = this.reading.objects.map((one, at) => (at === index ? { count, name: noun || one.name } : one));
    this.write(objects.filter((one) => one.count > 0).map((one) => `${one.count} ${one.name}`).join(", "));
  }
}
