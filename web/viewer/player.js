// Plays a view's steps, one after the other.

const MILLISECONDS_PER_STEP = 350;

export class Player {
  /** @param {() => boolean} next goes one step on and says whether there are more */
  constructor(next) {
    this.next = next;
    this.timer = null;
  }

  get isPlaying() {
    return this.timer !== null;
  }

  start() {
    this.timer = setInterval(() => this.next() || this.stop(), MILLISECONDS_PER_STEP);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
  }
}
