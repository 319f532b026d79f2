// Colours of identities, trackers and classes.

/** Okabe and Ito's colours, which people with any common colour blindness can tell apart. */
export const COLOURS = {
  orange: "#E69F00",
  sky: "#56B4E9",
  green: "#009E73",
  yellow: "#F0E442",
  blue: "#0072B2",
  vermilion: "#D55E00",
  purple: "#CC79A7",
};

/** One colour per tracker; they also differ by line. */
const TRACKERS = [COLOURS.blue, COLOURS.orange, COLOURS.green, COLOURS.purple, COLOURS.sky, COLOURS.vermilion];

/** @param {number} tracker */
export const trackerColour = (tracker) => TRACKERS[Math.max(0, tracker) % TRACKERS.length];

/** One colour per class; the chips that filter classes are their legend. */
const CLASSES = [COLOURS.orange, COLOURS.sky, COLOURS.green, COLOURS.purple, COLOURS.yellow, COLOURS.vermilion];

/** @param {number} index */
export const classColour = (index) => CLASSES[index % CLASSES.length];

/**
 * One colour per identity, by turns; identities that share one differ by their number, which is always written.
 * @param {string[]} palette
 * @param {number} id
 */
export function colourOf(palette, id) {
  const n = palette.length;
  return palette[((Math.round(id) % n) + n) % n];
}

/**
 * Black or white, whichever reads better on a colour "#rrggbb".
 * @param {string} colour
 */
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255);
  return 0.2126 * r ** 2.2 + 0.7152 * g ** 2.2 + 0.0722 * b ** 2.2 > 0.18 ? "#000" : "#fff";
}
