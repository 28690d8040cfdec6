// One seeded crash simulation of the engine alone: several starts, each ended by a power cut at a random operation of any of
// its parts, by the death of the process, or by a close. Beside it a model that knows every batch.
//
// What must hold after each: the contents are those after some batch, not before the last one that was promised; a
// process that only died leaves all that resolved; and nothing is reported as damage.
import { type Random, randomInt, seededRandom } from '../../kernel/random.ts';
import type { EngineLimits } from '../../runtime/spool/engine/limits.ts';
import type { BatchOp, Store } from '../../runtime/spool/engine/store.ts';
import { idKey, journalKey, journalKeyOf, stateKey } from '../../runtime/spool/format/keys.ts';
import { EngineDisk, limitsFor } from './simulated-disk.ts';
import {
  apply,
  type Batch,
  type Contents,
  contentsOf,
  differenceOf,
  hex,
  nameOf,
  same,
} from './store-contents.ts';

export interface EngineCrashFacts {
  starts: number;
  cuts: number;
  /** Of these, while the store was being opened. */
  cutsInRecovery: number;
  promises: number;
  /** Batches that were not promised and are gone. */
  undone: number;
  refusals: number;
  reopenings: number;
  mostValueSegments: number;
  mostWalSegments: number;
}

export interface CrashOptions {
  /** The disk refuses now and then. */
  readonly faults?: boolean;
  readonly limits?: Partial<EngineLimits>;
  /** Is told what happens, to look into a failure. */
  readonly tell?: (line: string) => void;
}

/** @throws Error that names the seed and the broken promise. */
export async function simulateEngineCrashes(
  seed: number,
  options: CrashOptions = {},
): Promise<EngineCrashFacts> {
  const simulation = new CrashSimulation(seed, options);
  try {
    return await simulation.run();
  } catch (error) {
    throw new Error(`HOLDFAST_SEED=${seed}: ${(error as Error).message}`, { cause: error });
  }
}

class CrashSimulation {
  readonly #random: Random;
  readonly #faults: boolean;
  readonly #tell: (line: string) => void;
  readonly #facts: EngineCrashFacts = {
    starts: 0,
    cuts: 0,
    cutsInRecovery: 0,
    promises: 0,
    undone: 0,
    refusals: 0,
    reopenings: 0,
    mostValueSegments: 0,
    mostWalSegments: 0,
  };
  #disk: EngineDisk;
  /** What this start found, and what came since. */
  #before: Contents = new Map();
  #batches: Batch[] = [];
  /** Of `#batches`: these are on the disk. */
  #promised = 0;
  /** Of `#batches`: these must be found. More than were promised when only the process ended. */
  #required = 0;
  /** As it must be seen now. */
  #now: Contents = new Map();
  #nextId = 1;

  constructor(seed: number, { faults = false, limits, tell = () => {} }: CrashOptions) {
    this.#random = seededRandom(seed * 2 + 1);
    this.#faults = faults;
    this.#tell = tell;
    this.#disk = new EngineDisk(this.#random, { ...limitsFor(seed), ...limits });
  }

  async run(): Promise<EngineCrashFacts> {
    const starts = 2 + randomInt(this.#random, 5);
    for (let n = 0; n < starts; n++) await this.#start();
    await this.#end();
    return this.#facts;
  }

  async #start(): Promise<void> {
    this.#facts.starts++;
    const { supply } = this.#disk;
    const inRecovery = this.#chance(0.3);
    supply.plan({ atOperation: 1 + randomInt(this.#random, inRecovery ? 15 : 200) });
    const store = await this.#open();
    if (store === undefined) {
      this.#facts.cutsInRecovery++;
      return this.#cut();
    }
    for (let step = 0; step < 120 && !supply.isDead; step++) {
      if (this.#faults && this.#chance(0.1)) this.#planFault();
      const choice = this.#random.next();
      if (choice < 0.04)
        await this.#unlessDead(
          this.#untilDone(store, () => store.compactRange(Buffer.of(0x72), Buffer.of(0x73))),
        );
      else if (choice < 0.07) await this.#check(store);
      else await this.#write(store);
      if (this.#chance(0.006)) return this.#endOfProcess(store);
    }
    return this.#cut();
  }

  #planFault(): void {
    const code = this.#chance(0.5) ? 'ENOSPC' : 'EIO';
    this.#disk.supply.planFault({
      atOperation: 1 + randomInt(this.#random, 12),
      code,
      count: 1 + randomInt(this.#random, 3),
    });
  }

  /** Undefined when the power went. */
  async #open(): Promise<Store | undefined> {
    const store = await this.#unlessDead(this.#disk.open());
    if (store === undefined) return undefined;
    const found = await contentsOf(store);
    const kept = this.#kept(found);
    this.#facts.undone += this.#batches.length - kept;
    this.#tell(`opens with ${kept} of ${this.#batches.length} batches, ${this.#promised} promised`);
    this.#startWith(found);
    return store;
  }

  #startWith(found: Contents): void {
    this.#before = found;
    this.#now = new Map(found);
    this.#batches = [];
    this.#promised = 0;
    this.#nextId = Math.max(0, ...this.#ids('r'), ...this.#ids('u')) + 1;
  }

  /** After how many of the batches things stood as they were found. */
  #kept(found: Contents): number {
    const state: Contents = new Map(this.#before);
    let nearest = '';
    for (let n = 0; n <= this.#batches.length; n++) {
      if (n > 0) apply(state, this.#batches[n - 1]!);
      if (n < this.#required) continue;
      const difference = differenceOf(state, found);
      if (difference === undefined) return n;
      nearest = difference;
    }
    throw new Error(
      `what is found is the state after none of the batches from ${this.#required} to ${this.#batches.length}; after the last: ${nearest}`,
    );
  }

  async #write(store: Store): Promise<void> {
    const ops = this.#someOps();
    if (ops.length === 0) return;
    const sync = this.#chance(0.6);
    this.#tell(`batch ${this.#batches.length}${sync ? ', synced' : ''}: ${ops.map(nameOf).join(' ')}`);
    this.#batches.push(ops);
    const written = await this.#unlessDead(this.#untilDone(store, () => store.batch(ops, { sync })));
    if (written === undefined) return;
    apply(this.#now, ops);
    if (!sync) return;
    this.#promised = this.#batches.length;
    this.#facts.promises++;
  }

  /** As the committer does: after a refusal the store is opened again, and asked for the same. */
  async #untilDone(store: Store, work: () => Promise<void>): Promise<true> {
    for (let tries = 0; ; tries++) {
      try {
        if (tries > 0) {
          await store.reopen();
          this.#facts.reopenings++;
          this.#tell('opened again');
        }
        await work();
        return true;
      } catch (error) {
        this.#tell(`refused: ${(error as Error).message}`);
        if (!this.#faults || tries > 20) throw error;
      }
    }
  }

  async #check(store: Store): Promise<void> {
    const found = await this.#unlessDead(contentsOf(store));
    if (found === undefined) return;
    const difference = differenceOf(this.#now, found);
    if (difference !== undefined) throw new Error(`a read does not see what was written: ${difference}`);
    const keys = [...this.#now.keys()].map((key) => Buffer.from(key, 'latin1'));
    const values = await this.#unlessDead(
      store.getMany([...keys, Buffer.from('r-none-'), Buffer.from('none')]),
    );
    if (values === undefined) return;
    for (const [n, key] of keys.entries()) {
      if (!same(values[n], this.#now.get(key.toString('latin1'))))
        throw new Error(`get finds another ${hex(key)}`);
    }
  }

  async #cut(): Promise<void> {
    this.#disk.supply.cut();
    this.#note();
    this.#disk = await this.#disk.survivor();
    this.#required = this.#promised;
    this.#facts.cuts++;
  }

  async #endOfProcess(store: Store): Promise<void> {
    const { supply } = this.#disk;
    const orderly = this.#chance(0.5);
    this.#tell(orderly ? 'closes' : 'is killed');
    if (orderly && this.#chance(0.3)) {
      // Killed amid its close: what was written is there, and not all of it on the disk.
      supply.plan({ atOperation: 1 + randomInt(this.#random, 8) });
      await this.#unlessDead(store.close());
      return this.#restart();
    }
    if (orderly) {
      await this.#unlessDead(store.close());
      // Nothing was said about it; an orderly end leaves it on the disk unless that refuses.
      if (!supply.isDead && !this.#faults) this.#promised = this.#batches.length;
    }
    if (supply.isDead || this.#chance(0.3)) return this.#cut();
    return this.#restart();
  }

  async #restart(): Promise<void> {
    this.#disk.supply.cut();
    this.#note();
    this.#disk = await this.#disk.restarted();
    this.#required = this.#batches.length;
  }

  /** The last start: all is removed, and the room comes back. */
  async #end(): Promise<void> {
    const store = (await this.#open())!;
    const ops = [...this.#now.keys()].map(
      (key): BatchOp => ({ type: 'del', key: Buffer.from(key, 'latin1') }),
    );
    await store.batch(ops, { sync: true });
    await store.compactRange(Buffer.of(0x72), Buffer.of(0x73));
    await store.batch([{ type: 'put', key: stateKey, value: Buffer.from('end') }], { sync: true });
    await store.close();
    this.#note();
    const values = this.#disk.values.contents.size;
    if (values > 1) throw new Error(`${values} segments of the value log are left, and nothing is in them`);
    const wal = this.#disk.wal.contents.size;
    if (wal > 4) throw new Error(`${wal} segments of the write-ahead log are left`);
  }

  #note(): void {
    const { wal, values, supply } = this.#disk;
    this.#facts.mostValueSegments = Math.max(this.#facts.mostValueSegments, values.contents.size);
    this.#facts.mostWalSegments = Math.max(this.#facts.mostWalSegments, wal.contents.size);
    this.#facts.refusals += supply.refusals;
  }

  #someOps(): Batch {
    const ops: BatchOp[] = [];
    for (let parts = 1 + randomInt(this.#random, 3); parts > 0; parts--) ops.push(...this.#opsOfOneKind());
    if (ops.length > 0 && this.#chance(0.8)) {
      ops.push({ type: 'put', key: stateKey, value: this.#bytes(20) });
    }
    return ops;
  }

  // What the spool does: journal, windows closed, acknowledgements, retention, settings.
  #opsOfOneKind(): Batch {
    const choice = this.#random.next();
    const stream = 1 + randomInt(this.#random, 4);
    if (choice < 0.35) return this.#journal(stream);
    if (choice < 0.6) return [...this.#message(), ...(this.#chance(0.7) ? this.#endOfJournal(stream) : [])];
    if (choice < 0.7) return this.#removals('u', 0.3);
    if (choice < 0.8) return this.#oldestMessages();
    if (choice < 0.87) return this.#removals('r', 0.25);
    if (choice < 0.93) return [{ type: 'put', key: Buffer.from(`kname${stream}`), value: this.#bytes(200) }];
    return this.#endOfJournal(stream);
  }

  #journal(stream: number): Batch {
    const next = Math.max(0, ...this.#journalOf(stream)) + 1;
    const size = this.#chance(0.03) ? 5000 : 120;
    return Array.from({ length: 1 + randomInt(this.#random, 2) }, (_, n) => ({
      type: 'put',
      key: journalKey(stream, next + n),
      value: this.#bytes(size),
    }));
  }

  #endOfJournal(stream: number): Batch {
    const all = this.#journalOf(stream);
    // At times the last record stays.
    const gone = this.#chance(0.3) ? all.slice(0, -1) : all;
    return gone.map((sequence) => ({ type: 'del', key: journalKey(stream, sequence) }));
  }

  #message(): Batch {
    return Array.from({ length: 1 + randomInt(this.#random, 3) }, (): Batch => {
      const id = this.#nextId++;
      const size = this.#chance(0.05) ? 3000 : this.#chance(0.3) ? 40 : 400;
      return [
        { type: 'put', key: idKey('r', id), value: this.#bytes(size) },
        { type: 'put', key: idKey('u', id), value: this.#bytes(10) },
      ];
    }).flat();
  }

  #oldestMessages(): Batch {
    const ids = this.#ids('r').slice(0, randomInt(this.#random, 8));
    return ids.flatMap(
      (id): Batch => [
        { type: 'del', key: idKey('r', id) },
        { type: 'del', key: idKey('u', id) },
      ],
    );
  }

  #removals(space: 'r' | 'u', share: number): Batch {
    const ids = this.#ids(space).filter(() => this.#chance(share));
    return ids.map((id) => ({ type: 'del', key: idKey(space, id) }));
  }

  #ids(space: 'r' | 'u'): readonly number[] {
    return this.#keysOf(space, 7).map((key) => key.readUIntBE(1, 6));
  }

  #journalOf(stream: number): readonly number[] {
    const all = this.#keysOf('j', 11).map(journalKeyOf);
    return all.filter((key) => key.stream === stream).map(({ sequence }) => sequence);
  }

  #keysOf(space: string, length: number): readonly Buffer[] {
    const keys = [...this.#now.keys()].filter((key) => key[0] === space && key.length === length);
    return keys.sort().map((key) => Buffer.from(key, 'latin1'));
  }

  /** No pointer begins with the first byte, as in all that the spool stores. */
  #bytes(most: number): Buffer {
    const bytes = Buffer.alloc(1 + randomInt(this.#random, most), randomInt(this.#random, 256));
    bytes[0] = 1;
    if (bytes.length > 4) bytes.writeUInt32BE(randomInt(this.#random, 2 ** 32), bytes.length - 4);
    return bytes;
  }

  #chance(share: number): boolean {
    return this.#random.next() < share;
  }

  /** Undefined if the power went while waiting. */
  async #unlessDead<T>(work: Promise<T>): Promise<T | undefined> {
    let result: { value: T } | { error: unknown } | undefined;
    work.then(
      (value) => {
        result = { value };
      },
      (error) => {
        result = { error };
      },
    );
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#disk.supply.isDead) return undefined;
      if (result === undefined) continue;
      if ('error' in result) throw result.error;
      return result.value;
    }
  }
}
