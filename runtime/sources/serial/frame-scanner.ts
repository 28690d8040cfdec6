// The port of framings: decides what comes first in the bytes of a stream, a message, garbage, or something incomplete.
// Pure; frame-reader.ts buffers the bytes. A decision depends on the bytes and on whether they begin at the edge of a
// message, never on how they were cut into chunks.

/** `[from, to)` of what was found, counted in the bytes that were looked at; they are used up to `used`. */
export type Found =
  | {
      readonly kind: 'frame';
      /** The whole frame, as its check sum covers it. */
      readonly from: number;
      readonly to: number;
      /** The message in it, without start, end and what follows the end. */
      readonly contentFrom: number;
      readonly contentTo: number;
      readonly used: number;
      /** What the places are counted in, where that is not what was looked at: something stood amid the frame. */
      readonly bytes?: Buffer;
    }
  /** Bytes that belong to no frame. `isLost`: the bytes after them do not begin at the edge of a message. */
  | { readonly kind: 'garbage'; readonly used: number; readonly why: GarbageKind; readonly isLost: boolean }
  /** Nothing can be said yet. */
  | { readonly kind: 'more' };

/**
 * `noise`: bytes outside of any frame; `checksum`: a frame with a wrong check sum; `too-long`: more bytes than a frame may
 * have, and no end; `cut`: a frame that was begun, and went no further.
 */
export const garbageKinds = ['noise', 'checksum', 'too-long', 'cut'] as const;
export type GarbageKind = (typeof garbageKinds)[number];

export interface FrameScanner {
  /** True when the frame's check sum is right. */
  readonly isValid: (frame: Buffer) => boolean;
  /**
   * What the bytes begin with. `isLost`: nobody knows whether they begin at the edge of a message. `isSilent`: no more
   * will come for now, the line has been silent for `gapMs`.
   */
  next(bytes: Buffer, isLost: boolean, isSilent: boolean): Found;
  /** It finds the next message after a loss by itself; otherwise only silence on the line tells where one begins. */
  readonly findsEdges: boolean;
  /** Bytes that a frame has at most. */
  readonly maxBytes: number;
  /** Silence after which what has come is all there is, and what comes next begins at the edge of a message. */
  readonly gapMs: number;
}

export const needMore: Found = { kind: 'more' };

export function garbage(used: number, why: GarbageKind, isLost: boolean): Found {
  return { kind: 'garbage', used, why, isLost };
}
