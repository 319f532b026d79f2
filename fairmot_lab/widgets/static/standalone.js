// Runs views in a page of its own: models made from the page's data stand in for those of a kernel.
/** @typedef {import("./types").Model} Model */
/** @typedef {{message: any, buffers: DataView[]}} HeldFrame */
/** @typedef {{kind: string, state: Record<string, any>, links: Record<string, string>, frames?: Record<number, HeldFrame>}} Part */

/**
 * Bytes are written as {"bytes": base64}; views expect a DataView.
 * @param {string} _key
 * @param {any} value
 */
function revive(_key, value) {
  if (!value || typeof value !== "object" || typeof value.bytes !== "string") return value;
  const text = atob(value.bytes);
  const array = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) array[i] = text.charCodeAt(i);
  return new DataView(array.buffer);
}

/**
 * Cut a box out of a frame that the page holds, as the kernel would; null where it does not.
 * @param {HeldFrame | undefined} held
 * @param {number[]} box x, y, w, h
 * @param {number} width of the original frames
 */
async function cut(held, [x, y, w, tall], width) {
  if (!held || w <= 0 || tall <= 0) return null;
  const bitmap = await createImageBitmap(new Blob([/** @type {DataView<ArrayBuffer>} */ (held.buffers[0])]));
  const scale = bitmap.width / width;
  const canvas = document.createElement("canvas");
  canvas.height = 88;
  canvas.width = Math.max(8, Math.round((w * canvas.height) / tall));
  canvas
    .getContext("2d")
    ?.drawImage(bitmap, x * scale, y * scale, w * scale, tall * scale, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  /** @type {Blob | null} */
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.8));
  return blob && new DataView(await blob.arrayBuffer());
}

/**
 * What views use of a model: get, set, save_changes, on, off, send.
 * @param {Record<string, any>} state
 * @param {Record<number, HeldFrame>} frames
 * @returns {Model}
 */
function makeModel(state, frames) {
  /** @type {Map<string, Set<(...values: any[]) => void>>} */
  const listeners = new Map();
  const fire = (/** @type {string} */ name, /** @type {any[]} */ ...values) => {
    for (const handler of [...(listeners.get(name) || [])]) handler(...values);
  };
  /** @param {any} message */
  const answer = async (message) => {
    if (message.kind === "need")
      for (const frame of message.frames) {
        const held = frames[frame];
        const head = { frame, generation: message.generation };
        if (held) fire("msg:custom", { kind: "frame", ...held.message, ...head }, held.buffers);
        else fire("msg:custom", { kind: "failed", text: `Frame ${frame} is not in this page.`, ...head }, []);
      }
    else if (message.kind === "crop" && message.box)
      fire("msg:custom", message, [await cut(frames[message.frame], message.box, state.width)]);
    else if (message.kind === "crop" && state.crops?.[message.index])
      fire("msg:custom", message, [state.crops[message.index]]);
  };
  return {
    get: (name) => state[name],
    set(name, value) {
      if (state[name] === value || JSON.stringify(state[name]) === JSON.stringify(value)) return;
      state[name] = value;
      fire(`change:${name}`);
    },
    save_changes() {},
    on(names, handler) {
      for (const name of names.split(" ")) {
        const known = listeners.get(name) || new Set();
        listeners.set(name, known.add(handler));
      }
    },
    off(names, handler) {
      for (const name of names.split(" ")) listeners.get(name)?.delete(handler);
    },
    send(message) {
      setTimeout(() => answer(message));
    },
  };
}

/**
 * Show all views of the page; traits that name the same channel move together, and picking a row goes to its frame.
 * @param {Record<string, {render: (place: {model: Model, el: HTMLElement | null}) => void}>} views
 */
export function start(views) {
  /** @type {{views: Part[]}} */
  const page = JSON.parse(document.getElementById("fml-data")?.textContent || "", revive);
  const parts = page.views.map((part) => ({ ...part, model: makeModel(part.state, part.frames || {}) }));
  /** @type {Map<string, [Model, string][]>} */
  const channels = new Map();
  const publish = (/** @type {string} */ channel, /** @type {any} */ value, /** @type {Model} */ from) => {
    for (const [model, trait] of channels.get(channel) || []) if (model !== from) model.set(trait, value);
  };
  for (const { model, links, kind } of parts) {
    for (const [trait, channel] of Object.entries(links)) {
      channels.set(channel, [...(channels.get(channel) || []), [model, trait]]);
      model.on(`change:${trait}`, () => publish(channel, model.get(trait), model));
    }
    if (kind === "table")
      model.on("change:selected", () => {
        const row = model.get("rows")[model.get("selected")];
        if (!row) return;
        for (const [key, channel] of [
          ["frame", "frame"],
          ["to_id", "id"],
          ["gt_id", "person"],
        ])
          if (Number.isInteger(row[key])) publish(channel, row[key], model);
      });
  }
  parts.forEach((part, i) => views[part.kind].render({ model: part.model, el: document.getElementById(`view-${i}`) }));
}
