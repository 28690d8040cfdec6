// Estimates how large a window will be once it is encoded. The compression of a stream's readings is learned from windows
// that were encoded before; until then a reading counts as large as plain JSON.

// Weight of the newest window: a stream whose values begin to move is followed within a few windows.
const newestWeight = 0.3;
// One window of zeros must not make the next one enormous.
const leastRatio = 0.01;
const greatestRatio = 2;
// Aim a little low: a window that just misses one message needs two.
const aim = 0.9;

export class SizeEstimate {
  readonly #maxBytes: number;
  #ratio = 1;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** `plainBytes` as estimated for plain JSON, `encodedBytes` as it came out. */
  learn(plainBytes: number, encodedBytes: number): void {
    if (plainBytes < 1024) return;
    const seen = Math.min(greatestRatio, Math.max(leastRatio, encodedBytes / plainBytes));
    this.#ratio += (seen - this.#ratio) * newestWeight;
  }

  isFull(plainBytes: number): boolean {
    return plainBytes * this.#ratio >= this.#maxBytes * aim;
  }
}
