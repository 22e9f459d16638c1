// The files of one view: a JSON file, and grey pictures whose pixels are the maps.

/**
 * @typedef {object} Atlas tiles of words beside each other, one row of tiles per moment, picture below picture
 * @property {string} file
 * @property {[number, number]} grid height and width of a tile
 * @property {number} rows per picture
 * @property {number} columns one per word
 * @property {[number, number][][][]} ranges [picture][row][column], the least and the largest value: grey 0 and 255
 *
 * @typedef {object} Grey
 * @property {Uint8Array} values row by row
 * @property {number} width
 *
 * @typedef {object} Tile a map of h * w grey values
 * @property {Uint8Array} values
 * @property {number} width
 * @property {number} height
 * @property {number} low the value of grey 0
 * @property {number} high the value of grey 255
 */

const VERSION = 2;

/** A line for the reader of the view. */
export class ViewError extends Error {}

export class ViewData {
  /**
   * @param {object} about the contents of view.json
   * @param {(file: string) => string} addressOf
   */
  constructor(about, addressOf) {
    this.about = about;
    this.addressOf = addressOf;
    /** @type {Map<string, Promise<unknown>>} */
    this.files = new Map();
    /** @type {Map<string, ImageBitmap>} */
    this.pictures = new Map();
    /** @type {Map<string, Grey>} */
    this.greys = new Map();
  }

  /** Read a view. @returns {Promise<ViewData>} */
  static async load(addressOf) {
    const about = await (await fetched(addressOf("view.json"))).json();
    if (about.version !== VERSION) {
      throw new ViewError("This view was written by another version of Headcount. Run the workflow again.");
    }
    return new ViewData(about, addressOf);
  }

  /** Fetch files that are needed now and are not here yet. */
  async need(files) {
    await Promise.all(files.map((file) => this.#file(file)));
  }

  #file(name) {
    if (!this.files.has(name)) {
      const address = this.addressOf(name);
      const reading = name.endsWith(".jpg")
        ? bitmap(address).then((content) => this.pictures.set(name, content))
        : grey(address).then((content) => this.greys.set(name, content));
      reading.catch(() => this.files.delete(name)); // may be asked for again
      this.files.set(name, reading);
    }
    return this.files.get(name);
  }

  /** @returns {ImageBitmap | undefined} one of the pictures, once it is here */
  picture(index) {
    return this.pictures.get(this.about.pictures[index].file);
  }

  /** @returns {Tile | null} */
  tile(name, picture, row, column) {
    const atlas = this.about.maps[name];
    if (!atlas || column >= atlas.columns) return null;
    const [low, high] = atlas.ranges[picture][row][column];
    const values = this.block(atlas.file, atlas.grid, picture * atlas.rows + row, column);
    return values && { values, width: atlas.grid[1], height: atlas.grid[0], low, high };
  }

  /** The values of one tile of a grey picture, or null while it is not here. */
  block(file, [height, width], row, column) {
    const whole = this.greys.get(file);
    if (!whole) return null;
    const values = new Uint8Array(height * width);
    for (let y = 0; y < height; y++) {
      const start = (row * height + y) * whole.width + column * width;
      values.set(whole.values.subarray(start, start + width), y * width);
    }
    return values;
  }

  /** Where one cell looks: grey values from none to the most. */
  attentionFrom(picture, cell) {
    const { file, grid } = this.about.attention;
    const cells = grid[0] * grid[1];
    return this.block(file, [1, cells], picture * cells + cell, 0);
  }
}

async function fetched(address) {
  const answer = await fetch(address);
  if (answer.status === 404) throw new ViewError("The maps are gone. Run the workflow to see them.");
  if (!answer.ok) throw new ViewError(`The maps could not be read: ${answer.status} ${answer.statusText}.`);
  return answer;
}

async function bitmap(address) {
  return createImageBitmap(await (await fetched(address)).blob());
}

/** @returns {Promise<Grey>} */
async function grey(address) {
  const blob = await (await fetched(address)).blob();
  const image = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, image.width, image.height).data;
  const values = new Uint8Array(image.width * image.height);
  for (let index = 0; index < values.length; index++) values[index] = pixels[4 * index];
  image.close();
  return { values, width: context.canvas.width };
}
