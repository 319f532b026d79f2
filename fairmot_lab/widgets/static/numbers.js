// Bytes from the kernel as arrays and pictures, and numbers in words.

/**
 * Bytes of a trait (a DataView, or nothing yet) as 32-bit floats.
 * @param {any} view
 */
export function floats(view) {
  if (!view || !view.byteLength) return new Float32Array(0);
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

/**
 * Bytes of a trait or of a message's buffer as 8-bit numbers.
 * @param {any} view
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function octets(view) {
  if (!view || !view.byteLength) return new Uint8Array(0);
  return view.buffer ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(view);
}

/**
 * Bytes of an image file as a picture; null where there are none, or they cannot be decoded.
 * @param {any} view
 * @returns {Promise<ImageBitmap | null>}
 */
export async function bitmapOf(view) {
  const bytes = octets(view);
  return bytes.byteLength ? createImageBitmap(new Blob([bytes])).catch(() => null) : null;
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/**
 * "1 box", "2 boxes".
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export const counted = (count, one, many) => `${count} ${count === 1 ? one : many || `${one}s`}`;
