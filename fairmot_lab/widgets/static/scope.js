// The life of a view: what it listens to, and what it tells the kernel.
/** @typedef {import("./types").Model} Model */

/**
 * Collects what must be undone when a view goes: listeners, observers, timers.
 * @param {Model} model
 * @returns {import("./types").Scope}
 */
export function makeScope(model) {
  /** @type {(() => void)[]} */
  const undo = [];
  return {
    model(names, handler) {
      model.on(names, handler);
      undo.push(() => model.off(names, handler));
    },
    dom(target, type, handler, options) {
      target.addEventListener(type, handler, options);
      undo.push(() => target.removeEventListener(type, handler, options));
    },
    resize(target, handler) {
      const observer = new ResizeObserver(handler);
      observer.observe(target);
      undo.push(() => observer.disconnect());
    },
    /** JupyterLab swaps its theme by attributes of <body>; canvases must be painted anew. */
    theme(handler) {
      const observer = new MutationObserver(handler);
      observer.observe(document.body, {
        attributes: true,
        attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"],
      });
      const media = matchMedia("(prefers-color-scheme: dark)");
      media.addEventListener("change", handler);
      undo.push(() => {
        observer.disconnect();
        media.removeEventListener("change", handler);
      });
    },
    also(handler) {
      undo.push(handler);
    },
    close() {
      while (undo.length) undo.pop()?.();
    },
  };
}

/**
 * Set traits and tell the kernel.
 * @param {Model} model
 * @param {Record<string, any>} values
 */
export function setTraits(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

/**
 * Put a value into the list of a trait, or take it out.
 * @param {Model} model
 * @param {string} trait
 * @param {string} value
 */
export function flip(model, trait, value) {
  const values = new Set(model.get(trait));
  if (!values.delete(value)) values.add(value);
  setTraits(model, { [trait]: [...values] });
}

/**
 * A function that tells the kernel of changes at most every 60 milliseconds, so that sliders do not flood it.
 * @param {Model} model
 * @param {import("./types").Scope} scope
 */
export function savingSoon(model, scope) {
  /** @type {any} */
  let waiting = null;
  scope.also(() => clearTimeout(waiting));
  return () => {
    waiting ??= setTimeout(() => {
      waiting = null;
      model.save_changes();
    }, 60);
  };
}

/**
 * A function that has `handler` called once before the next frame is painted: several traits change together.
 * @param {import("./types").Scope} scope
 * @param {() => void} handler
 */
export function oncePerFrame(scope, handler) {
  let waiting = 0;
  scope.also(() => cancelAnimationFrame(waiting));
  return () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(handler);
  };
}

/**
 * What anywidget expects of a module: a view's class, made for each place where the widget is shown.
 * @param {new (model: Model, el: HTMLElement, scope: import("./types").Scope) => object} View
 */
export function widgetOf(View) {
  return {
    /** @param {{model: Model, el: HTMLElement}} place */
    render({ model, el }) {
      const scope = makeScope(model);
      new View(model, el, scope);
      return () => scope.close();
    },
  };
}
