// What every view has around it: its outer element, banners, notes, and the word that there is no kernel.
import { h } from "./dom.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Scope} Scope */

const NO_KERNEL = "No kernel: run the cell again.";

/**
 * The outer element of a view. The data attribute tells JupyterLab to leave our keys alone.
 * @param {HTMLElement} el
 * @param {Scope} scope
 * @param {string} kind
 * @param {string} label
 * @returns {any}
 */
export function frameOf(el, scope, kind, label) {
  el.classList.add("fml-host");
  const root = h("div", {
    class: `fml fml-${kind}`,
    "data-lm-suppress-shortcuts": "true",
    role: "group",
    "aria-label": label,
  });
  el.append(root);
  scope.also(() => root.remove());
  return root;
}

/**
 * Keep the keys of a view from the notebook, which has commands for many of them; Tab leaves the view.
 * @param {Scope} scope
 * @param {HTMLElement} root
 */
export function keepKeys(scope, root) {
  scope.dom(root, "keydown", (event) => {
    if (event.key !== "Tab") event.stopPropagation();
  });
}

/**
 * A banner that shows the trait `error`, what a view itself finds wrong, and that the kernel is gone.
 * @param {Model} model
 * @param {Scope} scope
 * @param {HTMLElement} root
 */
export function errorBanner(model, scope, root) {
  const banner = h("div", { class: "fml-error", role: "alert", hidden: true });
  let own = "";
  let orphaned = false;
  const show = () => {
    const text = orphaned ? NO_KERNEL : [...new Set([model.get("error"), own])].filter(Boolean).join(" ");
    banner.textContent = text;
    banner.hidden = !text;
    root.classList.toggle("fml-orphan", orphaned);
    for (const child of root.children) if (child !== banner) /** @type {HTMLElement} */ (child).inert = orphaned;
  };
  const mark = (/** @type {boolean} */ gone) => {
    if (gone === orphaned) return;
    orphaned = gone;
    show();
  };
  // JupyterLab's widget manager cuts the line of all models when the kernel restarts; a message proves that it is up.
  scope.model("comm_live_update", () => mark(true));
  scope.model("msg:custom", () => mark(false));
  scope.model("change:error", show);
  show();
  return {
    element: banner,
    /** @param {string} text */
    say(text) {
      if (text === own) return;
      own = text;
      show();
    },
  };
}

/**
 * The trait `note`: what a view leaves out, and why.
 * @param {Model} model
 * @param {Scope} scope
 */
export function noteOf(model, scope) {
  const note = h("p", { class: "fml-note" });
  const show = () => {
    note.textContent = model.get("note");
    note.hidden = !note.textContent;
  };
  scope.model("change:note", show);
  show();
  return note;
}

/**
 * Keep a title and its element in step; an empty one takes no room.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function caption(element, text) {
  element.textContent = text;
  element.hidden = !text;
}
