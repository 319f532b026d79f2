// Runs views in a page of its own: models made from the page's data stand in for those of a kernel.

/** Bytes are written as {"bytes": base64}; views expect a DataView. */
function revive(key, value) {
  if (!value || typeof value !== "object" || typeof value.bytes !== "string") return value;
  const text = atob(value.bytes), array = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) array[i] = text.charCodeAt(i);
  return new DataView(array.buffer);
}

/** What views use of a model: get, set, save_changes, on, off, send. */
function makeModel(state, frames) {
  const listeners = new Map();
  const fire = (name, ...values) => { for (const handler of [...(listeners.get(name) || [])]) handler(...values); };
  const model = {
    get: name => state[name],
    set(name, value) {
      if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
      state[name] = value;
      fire(`change:${name}`);
    },
    save_changes() {},
    on(names, handler) { for (const name of names.split(" ")) { if (!listeners.has(name)) listeners.set(name, new Set()); listeners.get(name).add(handler); } },
    off(names, handler) { for (const name of names.split(" ")) listeners.get(name)?.delete(handler); },
    send(message) { setTimeout(() => answer(message)); },
  };
  function answer(message) {
    if (message.kind === "need") {
      for (const frame of message.frames) {
        const held = frames[frame];
        if (held) fire("msg:custom", { kind: "frame", frame, generation: message.generation, ...held.message }, held.buffers);
        else fire("msg:custom", { kind: "failed", frame, generation: message.generation, text: `Frame ${frame} is not in this page.` }, []);
      }
    } else if (message.kind === "crop" && state.crops?.[message.index]) fire("msg:custom", message, [state.crops[message.index]]);
  }
  return model;
}

/** Show all views of the page; traits that name the same channel move together, and picking a row goes to its frame. */
function start(views) {
  const page = JSON.parse(document.getElementById("fml-data").textContent, revive), channels = new Map();
  const parts = page.views.map(part => ({ ...part, model: makeModel(part.state, part.frames || {}) }));
  const publish = (channel, value, from) => { for (const [model, trait] of channels.get(channel) || []) if (model !== from) model.set(trait, value); };
  for (const { model, links, kind } of parts) {
    for (const [trait, channel] of Object.entries(links)) {
      if (!channels.has(channel)) channels.set(channel, []);
      channels.get(channel).push([model, trait]);
      model.on(`change:${trait}`, () => publish(channel, model.get(trait), model));
    }
    if (kind === "table") model.on("change:selected", () => {
      const row = model.get("rows")[model.get("selected")];
      if (!row) return;
      if (Number.isInteger(row.frame)) publish("frame", row.frame, model);
      if (Number.isInteger(row.to_id)) publish("id", row.to_id, model);
      if (Number.isInteger(row.gt_id)) publish("person", row.gt_id, model);
    });
  }
  parts.forEach((part, i) => views[part.kind]().render({ model: part.model, el: document.getElementById(`view-${i}`) }));
}
