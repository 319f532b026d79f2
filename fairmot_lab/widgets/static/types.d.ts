// Types that the modules share; for `tsc --checkJs` only, browsers never load it.

/** What a view uses of anywidget's model. A standalone page brings its own. */
export interface Model {
  get(name: string): any;
  set(name: string, value: any): void;
  save_changes(): void;
  on(names: string, handler: (...values: any[]) => void): void;
  off(names: string, handler: (...values: any[]) => void): void;
  send(message: any): void;
}

/** Collects what must be undone when a view goes. */
export interface Scope {
  model(names: string, handler: (...values: any[]) => void): void;
  dom(target: EventTarget, type: string, handler: (event: any) => void, options?: AddEventListenerOptions): void;
  resize(target: Element, handler: () => void): void;
  theme(handler: () => void): void;
  also(handler: () => void): void;
  close(): void;
}

/** Numbers painted over a frame: cell = (pixel * scale + pad) / stride. */
export interface Overlay {
  rows: number;
  columns: number;
  stride: number;
  scale: number;
  pad_x: number;
  pad_y: number;
  low: number;
  high: number;
  label: string;
  values: Float32Array;
  /** 7 numbers a peak: cell x, cell y, score, box x, y, w, h. */
  peaks: Float32Array;
}

export interface Picture {
  bitmap: ImageBitmap;
  overlay: Overlay | null;
  /** Stands in until the frame itself is here. */
  poster?: boolean;
}

/** A mark of the timeline. */
export interface Switch {
  frame: number;
  to_id: number | null;
  from_id: number | null;
  gt_id?: number | null;
  kind?: string | null;
  why?: string | null;
  tracker: number;
}

/** A part of the canvas that shows the frame once, in device pixels. */
export interface Viewport {
  x: number;
  y: number;
  width: number;
  height: number;
  /** Index of the tracker whose boxes it shows. */
  tracker: number;
  heat: boolean;
  title: string;
}

export interface Column {
  key: string;
  label: string;
  kind: "number" | "text";
  digits?: number;
  fixed?: boolean;
  help?: string;
  signed?: boolean;
  wide?: boolean;
  minor?: boolean;
}
