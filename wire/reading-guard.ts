// The check that every reading passes on its way into a body. On the hot path: the usual reading (same
// index or quality as the one before it, a number as value) costs a few comparisons.
import { HoldfastError } from '../kernel/errors.ts';
import { isIndex } from './index-position.ts';
import { maxBodyNodes, maxReadingsPerMessage, maxTagLength } from './limits.ts';
import type { Reading } from './reading.ts';
import { inspectValue, ReadingRefusedError, readingFault } from './reading-check.ts';
import type { IndexKind } from './window.ts';

/**
 * Takes the readings of one body in order.
 * @throws HoldfastError as `encodeBody` does.
 */
export class ReadingGuard {
  readonly #kind: IndexKind;
  #lastIndex = Number.NEGATIVE_INFINITY;
  #lastQuality = '';
  #nodes = 0;

  constructor(kind: IndexKind, readings: number) {
    if (readings > maxReadingsPerMessage) throw tooLarge(`${readings} readings`);
    this.#kind = kind;
  }

  admit(reading: Reading, at: number): void {
    if (reading.index !== this.#lastIndex) this.#moveTo(reading, at);
    if (typeof reading.tag !== 'string' || reading.tag.length > maxTagLength) refuse(this.#kind, reading, at);
    if (reading.quality !== this.#lastQuality) this.#changeQuality(reading, at);
    const value = reading.value;
    if (typeof value === 'number' ? !Number.isFinite(value) : typeof value !== 'boolean') {
      this.#inspect(reading, at);
    }
  }

  #moveTo(reading: Reading, at: number): void {
    if (!isIndex(this.#kind, reading.index)) refuse(this.#kind, reading, at);
    if (reading.index < this.#lastIndex) {
      throw new HoldfastError(
        'wire-bad-batch',
        `readings are out of index order at ${at}: a caller's mistake`,
      );
    }
    this.#lastIndex = reading.index;
  }

  #changeQuality(reading: Reading, at: number): void {
    if (readingFault(this.#kind, reading) !== undefined) refuse(this.#kind, reading, at);
    this.#lastQuality = reading.quality;
  }

  #inspect(reading: Reading, at: number): void {
    const facts = inspectValue(reading.value);
    if (facts.fault !== undefined) refuse(this.#kind, reading, at);
    this.#nodes += facts.nodes;
    if (this.#nodes > maxBodyNodes) throw tooLarge('too many elements in arrays and objects');
  }
}

function refuse(kind: IndexKind, reading: Reading, at: number): never {
  const fault = readingFault(kind, reading) ?? 'it is refused';
  throw new ReadingRefusedError('wire-bad-reading', fault, reading, at);
}

function tooLarge(problem: string): HoldfastError {
  return new HoldfastError('wire-body-too-large', `these readings do not fit into one body: ${problem}`);
}
