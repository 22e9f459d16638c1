// One interactive view of attention maps: reads its files, keeps what is chosen, draws.

import { ViewData, ViewError } from "./data.js";
import { Panel } from "./panel.js";
import { cellAt } from "./heat.js";
import { fit, paintPoint } from "./paint.js";
import { Player } from "./player.js";
import { followPointer } from "./pointer.js";
import { SCENES } from "./scenes.js";
import { filesOf, momentOf, stepOf } from "./source.js";
import { isViewFolder } from "./state.js";

/** What is chosen in the view, and the node's setting that it is kept in. */
const SETTING_OF = { mode: "show", words: "words", opacity: "opacity", scale: "scale" };
const EMPTY = "Run the workflow to see where each word ends up.";

/**
 * @typedef {{show?: string, words?: string, opacity?: number, scale?: string, selected?: string}} Settings of the node's own widgets
 *
 * @typedef {object} Host what a view needs of its node
 * @property {(folder: string, file: string) => string} addressOf
 * @property {() => Settings} settings
 * @property {(settings: Settings) => void} set writes the node's widgets
 * @property {() => import("./state.js").State} read
 * @property {(state: import("./state.js").State) => void} write
 * @property {() => void} changed says that the workflow has something new to save
 */

export class View {
  /** @param {Host} host */
  constructor(host) {
    this.host = host;
    this.data = null;
    this.folder = "";
    this.point = null;
    this.turn = 0;
    this.player = new Player(() => this.playNext());
    const press = { toggleWord: (index) => this.toggleWord(index), togglePlay: () => this.togglePlay() };
    this.panel = new Panel((change) => this.choose(change), press);
    this.root = this.panel.root;
    this.root.addEventListener("change", () => host.changed()); // a slider that is let go, a choice that is made
    this.panel.say(EMPTY, { hides: true });
    followPointer(this.panel.canvas, (point) => {
      this.point = point;
      this.draw();
    }, (point) => this.pick(point));
  }

  /** Show the view of a run that has just ended; where it has none, say why. */
  show(folder, why = "This run left no maps to show.") {
    if (!isViewFolder(folder)) {
      this.host.write({ ...this.host.read(), folder: "" });
      return this.fail(new ViewError(why));
    }
    this.host.write({ ...this.host.read(), folder });
    return this.open(folder);
  }

  /** Show what the node's properties say, after the page or a workflow was loaded. */
  restore() {
    const { folder } = this.host.read();
    if (folder && folder !== this.folder) this.open(folder);
  }

  /** Stop everything; the node is gone. */
  close() {
    this.player.stop();
    this.turn += 1;
  }

  async open(folder) {
    this.folder = folder;
    this.player.stop();
    try {
      const data = await ViewData.load((file) => this.host.addressOf(folder, file));
      if (this.folder !== folder) return; // a newer one was asked for meanwhile
      this.data = data;
      this.panel.say(data.about.note);
      await this.draw();
    } catch (error) {
      if (this.folder === folder) this.fail(error);
    }
  }

  fail(error) {
    this.data = null;
    this.folder = "";
    this.root.ariaBusy = "false";
    this.player.stop();
    const text = error instanceof ViewError ? error.message : `The maps could not be shown: ${error.message}`;
    this.panel.say(text, { error: !(error instanceof ViewError), hides: true });
  }

  /** Change what is shown, by hand. */
  choose(change) {
    if ("mode" in change || "step" in change) this.player.stop();
    const state = { ...change };
    const settings = {};
    for (const [name, setting] of Object.entries(SETTING_OF)) {
      if (name in change) [settings[setting], state[name]] = [change[name], null];
    }
    this.host.set(settings);
    this.keep(state);
    if (change.mode === "steps") this.playAll();
  }

  keep(change) {
    this.host.write({ ...this.host.read(), ...change });
    this.draw();
  }

  toggleWord(index) {
    const { about } = this.data;
    const shown = this.moment().words;
    const next = shown.includes(index) ? shown.filter((word) => word !== index) : [...shown, index];
    if (!next.length) return; // the setting's empty text stands for the counted words
    this.choose({ words: next.map((word) => about.words[word].text).join(", ") });
    this.host.changed();
  }

  /** Pick the object at a place for the node's outputs, or leave it out again. */
  pick({ u, v }) {
    if (!this.data) return;
    const { mode, picture, selected } = this.moment();
    if (mode !== "objects") return;
    const { file, grid } = this.data.about.instances;
    const number = this.data.block(file, grid, picture, 0)?.[cellAt(u, v, ...grid)];
    if (!number) return;
    const image = this.data.about.pictures[picture].number;
    const others = selected.filter((one) => one.image !== image || one.number !== number);
    const next = others.length < selected.length ? others : [...selected, { image, number }];
    this.host.set({ selected: next.map((one) => `${one.image}:${one.number}`).join(", ") });
    this.host.changed();
    this.draw();
  }

  togglePlay() {
    if (this.player.isPlaying) {
      this.player.stop();
      this.draw();
    } else {
      if (stepOf(this.host.read(), this.data.about) === this.data.about.steps.length) this.keep({ step: 1 });
      this.player.start();
      this.draw();
    }
  }

  /** From the first step. */
  playAll() {
    this.keep({ step: 1 });
    this.player.start();
    this.draw();
  }

  /** One step on; false after the last one. */
  playNext() {
    const last = this.data.about.steps.length;
    const step = Math.min(stepOf(this.host.read(), this.data.about) + 1, last);
    if (step === last) this.player.stop();
    this.keep({ step });
    return step < last;
  }

  moment() {
    return momentOf(this.data, this.host.read(), this.host.settings(), this.point);
  }

  /** Draw what is chosen, once its files are here. */
  async draw() {
    if (!this.data) return;
    const [turn, moment] = [++this.turn, this.moment()];
    const { data, mode, picture, point } = moment;
    this.panel.set(moment, this.player.isPlaying);
    this.root.ariaBusy = "true";
    try {
      await data.need(filesOf(moment));
      if (turn !== this.turn) return;
      const { canvas } = this.panel;
      fit(canvas, data.picture(picture));
      const context = canvas.getContext("2d");
      this.panel.readout.textContent = SCENES[mode](context, moment);
      if (point) paintPoint(context, point);
      this.root.ariaBusy = "false";
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }
}
