// Writes of the split store: one batch, or one checkpoint, at a time.

import { stateKey } from '../format/keys.ts';
import { type Checkpoint, encodeCheckpoint } from './checkpoint.ts';
import { isMedium, isSystemError } from './disk.ts';
import { durableKey, encodeDurable, type SplitParts } from './parts.ts';
import type { BatchOp } from './store.ts';
import type { NewBody } from './value-log.ts';
import { bodiesIn, decodePlace, encodePlace } from './value-record.ts';
import { isJournalKey } from './wal-contents.ts';
import { encodeOps, type LogOp, type Place } from './wal-ops.ts';

export class SplitWriter {
  readonly #parts: SplitParts;
  // A clean checkpoint stands there: nothing has come since.
  #cleanAt: number | undefined;

  constructor(parts: SplitParts, clean: boolean) {
    this.#parts = parts;
    this.#cleanAt = clean ? parts.sequence : undefined;
  }

  /** `again`: the batch may have been written before, in whole or in part. */
  async batch(ops: readonly BatchOp[], waits: boolean, again = false): Promise<void> {
    const parts = this.#parts;
    const { bodies, index, limits, log } = parts;
    const sync = waits || index.lateBytes >= limits.lateBytes;
    const former = await this.#formerPlaces(ops, again);
    const fresh = this.#place(ops);
    const direct = fresh.bytes >= limits.directBytes;
    if (direct) {
      await bodies.write(fresh.bodies);
      await bodies.sync();
    }
    const sequence = parts.sequence + 1;
    const logged = fresh.ops.map((op) => (op.type === 'placed' && direct ? withoutValue(op) : op));
    const pieces = encodeOps(logged);
    const at = await log.append({ kind: 'batch', sequence, synced: sync }, pieces);
    parts.sequence = sequence;
    if (!direct) await bodies.write(fresh.bodies);
    // From here on it is seen, all at once.
    this.#noteJournal(pieces, at, logged);
    this.#noteBodies(fresh.ops, former, sequence);
    this.#noteIndex(fresh.ops);
    if (sync) {
      parts.durable = sequence;
      await this.#settle();
      await bodies.removeEmptied(sequence);
    }
    if (log.sinceCheckpoint >= limits.checkpointBytes) await this.checkpoint();
  }

  /** Puts bodies and index on the disk, so that the log before it is needed for the open windows alone. */
  async checkpoint(clean = false): Promise<void> {
    const parts = this.#parts;
    const { bodies, index, log, journal } = parts;
    if (clean && this.#cleanAt === parts.sequence) return;
    // The index must never have what the log may lose.
    await log.sync();
    parts.durable = parts.sequence;
    await index.settle(this.#stateOps());
    await bodies.sync();
    await index.flush();
    const sequence = parts.sequence + 1;
    const generations = journal.generations();
    const checkpoint: Checkpoint = {
      applied: sequence - 1,
      generations,
      journal: journal.ranges(),
      bodies: bodies.counts(),
      ...(clean ? { clean } : {}),
    };
    await log.append({ kind: 'checkpoint', sequence, synced: true }, [encodeCheckpoint(checkpoint)]);
    parts.sequence = sequence;
    parts.durable = sequence;
    this.#cleanAt = clean ? sequence : undefined;
    await log.release(generations);
    await bodies.removeEmptied(sequence);
  }

  /** Deletions so far are made durable, and what they freed goes back to the disk. */
  async giveBack(): Promise<void> {
    await this.checkpoint();
    const file = this.#parts.bodies.sparse();
    if (file !== undefined) {
      await this.#moveOut(file);
      await this.checkpoint();
    }
  }

  /** Does a record of the log once more: it is on the disk. */
  async redo(ops: readonly LogOp[]): Promise<void> {
    const again = ops.flatMap((op) =>
      op.type === 'placed' && op.value !== undefined
        ? [{ key: op.key, value: op.value, place: op.place }]
        : [],
    );
    const { bodies, files } = this.#parts;
    await bodies.write(again).catch((error) => {
      // Then it is the message that is damaged, and not the store.
      if (files.insist !== true || !isMedium(error)) throw error;
    });
    this.#noteIndex(ops);
    await this.#settle();
  }

  /** Where the messages lie that this deletes or, written again, puts anew. */
  async #formerPlaces(ops: readonly BatchOp[], again: boolean): Promise<Map<string, Place>> {
    const keys = ops
      .filter((op) => isMessageKey(op.key) && (op.type === 'del' || again))
      .map(({ key }) => key);
    const values = await this.#parts.index.getMany(keys);
    const places = new Map<string, Place>();
    for (const [n, value] of values.entries()) {
      const place = value && decodePlace(keys[n]!, value);
      if (place !== undefined) places.set(nameOf(keys[n]!), place);
    }
    return places;
  }

  #place(ops: readonly BatchOp[]): { ops: readonly LogOp[]; bodies: readonly NewBody[]; bytes: number } {
    const bodies: NewBody[] = [];
    let bytes = 0;
    const placed = ops.map((op): LogOp => {
      if (op.type !== 'put' || !isMessageKey(op.key) || op.value.byteLength < this.#parts.limits.minBodyBytes)
        return op;
      const place = this.#parts.bodies.allocate(op.key, op.value.byteLength);
      bodies.push({ key: op.key, value: op.value, place });
      bytes += op.value.byteLength;
      return { type: 'placed', key: op.key, place, value: op.value };
    });
    return { ops: placed, bodies, bytes };
  }

  #noteIndex(ops: readonly LogOp[]): void {
    const parts = this.#parts;
    const indexed: BatchOp[] = [];
    for (const op of ops) {
      if (op.type === 'put' && stateKey.equals(op.key)) parts.state = op.value;
      else if (op.type === 'placed') {
        indexed.push({ type: 'put', key: op.key, value: encodePlace(op.key, op.place) });
      } else if (!isJournalKey(op.key) || (op.type === 'del' && parts.indexHasJournal)) indexed.push(op);
    }
    parts.index.add(indexed);
  }

  async #settle(): Promise<void> {
    // Batches of the journal alone are none of its business.
    if (this.#parts.index.lateBytes > 0) await this.#parts.index.settle(this.#stateOps());
  }

  #stateOps(): readonly BatchOp[] {
    const { state, durable } = this.#parts;
    const ops: BatchOp[] = [{ type: 'put', key: durableKey, value: encodeDurable(durable) }];
    return state === undefined ? ops : [...ops, { type: 'put', key: stateKey, value: state }];
  }

  #noteJournal(
    pieces: readonly Uint8Array[],
    at: { generation: number; offset: number },
    ops: readonly LogOp[],
  ): void {
    const { journal } = this.#parts;
    let offset = at.offset;
    let piece = 0;
    for (const op of ops) {
      // Each has a head, and a value where it carries one.
      offset += pieces[piece++]!.byteLength;
      const value = op.type === 'del' ? undefined : op.value;
      if (isJournalKey(op.key)) {
        if (op.type === 'put') {
          journal.put(op.key, { generation: at.generation, offset, length: op.value.byteLength });
        } else journal.remove(op.key);
      }
      if (value !== undefined) offset += pieces[piece++]!.byteLength;
    }
  }

  #noteBodies(ops: readonly LogOp[], former: Map<string, Place>, sequence: number): void {
    const { bodies } = this.#parts;
    for (const op of ops) {
      if (!isMessageKey(op.key)) continue;
      const name = nameOf(op.key);
      const before = former.get(name);
      if (before !== undefined) bodies.unname(before, sequence);
      former.delete(name);
      if (op.type !== 'placed') continue;
      bodies.name(op.key, op.place);
      former.set(name, op.place);
    }
  }

  /** Writes what is still named in the file once more, elsewhere. */
  async #moveOut(file: number): Promise<void> {
    const { bodies, index } = this.#parts;
    const contents = await bodies.readAll(file).catch((error) => {
      if (!isSystemError(error)) throw error;
      return undefined;
    });
    // What is in it is as safe as before; only its space does not come back.
    if (contents === undefined) return bodies.leave(file);
    let ops: BatchOp[] = [];
    let bytes = 0;
    for (const { key, offset, value } of bodiesIn(contents)) {
      const named = await index.get(key);
      const place = named && decodePlace(key, named);
      if (place?.file !== file || place.offset !== offset || place.length !== value.byteLength) continue;
      ops.push({ type: 'put', key, value });
      bytes += value.byteLength;
      if (bytes < this.#parts.limits.moveBytes) continue;
      await this.batch(ops, true, true);
      [ops, bytes] = [[], 0];
    }
    if (ops.length > 0) await this.batch(ops, true, true);
  }
}

const isMessageKey = (key: Uint8Array): boolean => key[0] === 0x72 && key.byteLength === 7;

const nameOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1');

function withoutValue(op: LogOp & { type: 'placed' }): LogOp {
  return { type: 'placed', key: op.key, place: op.place };
}
