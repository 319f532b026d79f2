// What all that paint on a canvas share: its size, the colours of the theme, hatching.

/**
 * Colours of the current theme for painting on a canvas.
 * @param {Element} element
 */
export function themeOf(element) {
  const style = getComputedStyle(element);
  const read = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return {
    text: style.color,
    dim: read("--fml-dim"),
    line: read("--fml-line"),
    back: read("--fml-back"),
    page: read("--fml-page"),
    accent: read("--fml-accent"),
  };
}

/**
 * Give a canvas the device pixels of its size on the page; returns the ratio of device to CSS pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function fitCanvas(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const w = Math.max(1, Math.round(width * ratio));
  const tall = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== tall) {
    canvas.width = w;
    canvas.height = tall;
  }
  return ratio;
}

/**
 * Fill a rectangle with slanted lines in the stroke style that is set.
 * @param {CanvasRenderingContext2D} g
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @param {number} gap between two lines, along the lower edge
 */
export function hatch(g, x, y, width, height, gap) {
  g.save();
  g.beginPath();
  g.rect(x, y, width, height);
  g.clip();
  g.beginPath();
  for (let d = -height; d < width; d += gap) {
    g.moveTo(x + d, y + height);
    g.lineTo(x + d + height, y);
  }
  g.stroke();
  g.restore();
}
