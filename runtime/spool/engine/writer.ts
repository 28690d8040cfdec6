// Writes of the engine: one batch, or one checkpoint, at a time.
import { type Checkpoint, encodeCheckpoint } from './checkpoint.ts';
import { isMedium, isSystemError } from './disk.ts';
import { durableKey, type EngineState, encodeDurable } from './state.ts';
import type { BatchOp } from './store.ts';
import type { NewValue } from './value-log.ts';
import { decodeValuePointer, encodeValuePointer, type ValuePointer, valueRecordsIn } from './value-record.ts';
import { encodeOps, type LogOp } from './wal-ops.ts';

export class EngineWriter {
  readonly #state: EngineState;
  // The sequence of a clean checkpoint with nothing behind it.
  #cleanAt: number | undefined;

  constructor(state: EngineState, clean: boolean) {
    this.#state = state;
    this.#cleanAt = clean ? state.sequence : undefined;
  }

  /** `again`: the batch may have been written before, in whole or in part. */
  async batch(ops: readonly BatchOp[], waits: boolean, again = false): Promise<void> {
    const state = this.#state;
    const { valueLog, memtable, limits, wal } = state;
    const sync = waits || memtable.bytes >= limits.memtableBytes;
    const replaced = await this.#replacedPointers(ops, again);
    const separated = this.#separate(ops);
    const direct = separated.bytes >= limits.directValueBytes;
    if (direct) {
      await valueLog.write(separated.values);
      await valueLog.sync();
    }
    const sequence = state.sequence + 1;
    const logged = separated.ops.map((op) => (op.type === 'put-pointer' && direct ? withoutValue(op) : op));
    const pieces = encodeOps(logged);
    const at = await wal.append({ kind: 'batch', sequence, synced: sync }, pieces);
    state.sequence = sequence;
    if (!direct) await valueLog.write(separated.values);
    // No await from here to the last of them: reads see the whole batch or nothing of it.
    this.#noteWalValues(pieces, at, logged);
    this.#countReferences(separated.ops, replaced, sequence);
    this.#noteIndex(separated.ops);
    if (sync) {
      state.durable = sequence;
      await this.#flush();
      await valueLog.removeUnreferenced(sequence);
    }
    if (wal.sinceCheckpoint >= limits.checkpointBytes) await this.checkpoint();
  }

  /** Puts value log and index on the disk. What the log has up to here is then needed for `wal` key spaces alone. */
  async checkpoint(clean = false): Promise<void> {
    const state = this.#state;
    const { valueLog, memtable, wal, walValues } = state;
    if (clean && this.#cleanAt === state.sequence) return;
    // The index must never have what the log may lose.
    await wal.sync();
    state.durable = state.sequence;
    await memtable.flush(this.#durableOp());
    await valueLog.sync();
    await memtable.syncIndex();
    const sequence = state.sequence + 1;
    const generations = walValues.generations();
    const checkpoint: Checkpoint = {
      applied: sequence - 1,
      generations,
      retained: walValues.retained(),
      values: valueLog.usage(),
      ...(clean ? { clean } : {}),
    };
    await wal.append({ kind: 'checkpoint', sequence, synced: true }, [encodeCheckpoint(checkpoint)]);
    state.sequence = sequence;
    state.durable = sequence;
    this.#cleanAt = clean ? sequence : undefined;
    await wal.release(generations);
    await valueLog.removeUnreferenced(sequence);
  }

  /** Makes deletions so far durable, removes segments without references, and rewrites one that is mostly garbage. */
  async collectGarbage(): Promise<void> {
    await this.checkpoint();
    const segment = this.#state.valueLog.sparsestSegment();
    if (segment !== undefined) {
      await this.#rewrite(segment);
      await this.checkpoint();
    }
  }

  /** Applies a record of the log, which is on the disk, once more. */
  async replay(ops: readonly LogOp[]): Promise<void> {
    const values = ops.flatMap(({ key, ...op }) =>
      op.type === 'put-pointer' && op.value !== undefined
        ? [{ key, value: op.value, pointer: op.pointer }]
        : [],
    );
    const { valueLog, options } = this.#state;
    await valueLog.write(values).catch((error) => {
      // Then one value is damaged, and not the store.
      if (options.skipUnreadable !== true || !isMedium(error)) throw error;
    });
    this.#noteIndex(ops);
    await this.#flush();
  }

  /** Pointers that the batch deletes or, when it is written again, replaces. */
  async #replacedPointers(ops: readonly BatchOp[], again: boolean): Promise<Map<string, ValuePointer>> {
    const keys = ops
      .filter((op) => this.#isInValueLog(op.key) && (op.type === 'del' || again))
      .map(({ key }) => key);
    const values = await this.#state.memtable.getMany(keys);
    const pointers = new Map<string, ValuePointer>();
    for (const [n, value] of values.entries()) {
      const pointer = value && decodeValuePointer(keys[n]!, value);
      if (pointer !== undefined) pointers.set(nameOf(keys[n]!), pointer);
    }
    return pointers;
  }

  /** Key-value separation: large values go to the value log, pointers to them to the index. */
  #separate(ops: readonly BatchOp[]) {
    const values: NewValue[] = [];
    let bytes = 0;
    const separated = ops.map((op): LogOp => {
      const { limits, valueLog } = this.#state;
      if (op.type !== 'put' || op.value.byteLength < limits.minValueBytes || !this.#isInValueLog(op.key))
        return op;
      const { key, value } = op;
      const pointer = valueLog.allocate(key, value.byteLength);
      values.push({ key, value, pointer });
      bytes += value.byteLength;
      return { type: 'put-pointer', key, pointer, value };
    });
    return { ops: separated, values, bytes };
  }

  #noteIndex(ops: readonly LogOp[]): void {
    const { memtable, options } = this.#state;
    const indexed: BatchOp[] = [];
    for (const op of ops) {
      if (op.type === 'put-pointer')
        indexed.push({ type: 'put', key: op.key, value: encodeValuePointer(op.key, op.pointer) });
      else if (options.spaces.placementOf(op.key) !== 'wal') indexed.push(op);
    }
    memtable.add(indexed);
  }

  async #flush(): Promise<void> {
    // Batches that leave the index as it is need no flush.
    if (this.#state.memtable.bytes > 0) await this.#state.memtable.flush(this.#durableOp());
  }

  #durableOp(): readonly BatchOp[] {
    return [{ type: 'put', key: durableKey, value: encodeDurable(this.#state.durable) }];
  }

  #noteWalValues(
    pieces: readonly Uint8Array[],
    at: { generation: number; offset: number },
    ops: readonly LogOp[],
  ): void {
    const { walValues, options } = this.#state;
    let offset = at.offset;
    let piece = 0;
    for (const op of ops) {
      // Each has a head, and a value where it carries one.
      offset += pieces[piece++]!.byteLength;
      const value = op.type === 'del' ? undefined : op.value;
      if (options.spaces.placementOf(op.key) === 'wal') {
        if (op.type === 'put')
          walValues.put(op.key, { generation: at.generation, offset, length: op.value.byteLength });
        else walValues.remove(op.key);
      }
      if (value !== undefined) offset += pieces[piece++]!.byteLength;
    }
  }

  #countReferences(ops: readonly LogOp[], replaced: Map<string, ValuePointer>, sequence: number): void {
    const { valueLog } = this.#state;
    for (const op of ops) {
      if (!this.#isInValueLog(op.key)) continue;
      const name = nameOf(op.key);
      const before = replaced.get(name);
      if (before !== undefined) valueLog.dropReference(before, sequence);
      replaced.delete(name);
      if (op.type !== 'put-pointer') continue;
      valueLog.addReference(op.key, op.pointer);
      replaced.set(name, op.pointer);
    }
  }

  /** Writes what is still referenced in the segment once more, elsewhere. */
  async #rewrite(segment: number): Promise<void> {
    const { valueLog, memtable, limits } = this.#state;
    const bytes = await valueLog.readSegment(segment).catch((error) => {
      if (!isSystemError(error)) throw error;
      return undefined;
    });
    // Its values are as safe as before; only the space of its garbage does not come back.
    if (bytes === undefined) return valueLog.markUnreadable(segment);
    let ops: BatchOp[] = [];
    let size = 0;
    for (const { key, offset, value } of valueRecordsIn(bytes)) {
      const indexed = await memtable.get(key);
      const pointer = indexed && decodeValuePointer(key, indexed);
      if (pointer?.segment !== segment || pointer.offset !== offset || pointer.length !== value.byteLength)
        continue;
      ops.push({ type: 'put', key, value });
      size += value.byteLength;
      if (size < limits.gcBatchBytes) continue;
      await this.batch(ops, true, true);
      [ops, size] = [[], 0];
    }
    if (ops.length > 0) await this.batch(ops, true, true);
  }

  #isInValueLog(key: Uint8Array): boolean {
    return this.#state.options.spaces.placementOf(key) === 'value-log';
  }
}

const nameOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1');

function withoutValue({ type, key, pointer }: LogOp & { type: 'put-pointer' }): LogOp {
  return { type, key, pointer };
}
