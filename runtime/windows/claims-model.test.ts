// Random histories of one stream against a model that knows every record that the equipment made, and when it was received.
// The source states what any correct one would; the windows may claim no record that did not come.
import { describe, expect, it } from 'vitest';
import { type Random, randomInt, seededRandom } from '../../kernel/random.ts';
import type { Reading } from '../../wire/reading.ts';
import { Continuation } from '../sources/continuation.ts';
import { StreamWindows } from './stream-windows.ts';
import type { ClosedWindow, StreamStart } from './window-store.ts';

/** The equipment makes a record so often. */
const recordMs = 500;
const start = 1_000_000_000;

interface Made {
  readonly index: number;
  readonly at: number;
  delivered: boolean;
}

interface Claimed {
  readonly start: number;
  readonly end: number;
  /** Monotonic ms when it was closed. */
  readonly at: number;
  readonly life: number;
}

class Life {
  readonly made: Made[] = [];
  readonly claimed: Claimed[] = [];
  readonly story: string[] = [];
  readonly #random: Random;
  #now = 0;
  /** Of the equipment's clock: what it shows less monotonic time. */
  #offset = start;
  #nextRecordAt = recordMs;
  #windows: StreamWindows;
  #life = 0;
  #number = 0;
  #isBroken = true;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#windows = this.#make({ continuity: 'proven' });
  }

  run(): void {
    for (let act = 0; act < 40; act++) this.#act();
    this.#observe(2000);
    this.#windows.interrupt();
    this.#fetch();
  }

  /** What was claimed and is not so; undefined where all is well. */
  problem(): string | undefined {
    const sorted = this.claimed.toSorted((a, b) => a.start - b.start || a.end - b.end);
    for (const [at, window] of sorted.entries()) {
      const before = sorted[at - 1];
      if (before && window.start < before.end) return `${show(window)} overlaps ${show(before)}`;
      const isRun = before !== undefined && window.start === before.end && window.at >= before.at;
      const lost =
        isRun &&
        this.made.find(
          (made) => !made.delivered && made.at > before.at && made.at <= window.at && made.index < window.end,
        );
      if (lost)
        return `${show(window)} touches ${show(before)}, but the record at ${lost.index} was lost between`;
      const missing = this.made.find(
        (made) =>
          made.index >= window.start && made.index < window.end && made.at <= window.at && !made.delivered,
      );
      if (missing) return `${show(window)} is claimed, but the record at ${missing.index} did not come`;
    }
    return undefined;
  }

  #act(): void {
    const kind = randomInt(this.#random, 8);
    const ms = recordMs * (1 + randomInt(this.#random, 40));
    if (kind <= 1) this.#observe(ms);
    else if (kind === 2) this.#outage(ms);
    else if (kind === 3) this.#drop();
    else if (kind === 4) this.#step(10_000 + randomInt(this.#random, 7_200_000));
    else if (kind === 5) this.#step(-(60_000 + randomInt(this.#random, 3_600_000)));
    else if (kind === 6) this.#restart(ms);
    else this.#goOn();
    this.#fetch();
  }

  /** Time passes; records that are made meanwhile. */
  #pass(ms: number): readonly Made[] {
    const made: Made[] = [];
    for (const end = this.#now + ms; this.#nextRecordAt <= end; this.#nextRecordAt += recordMs) {
      this.#number += 1;
      made.push({ index: this.#nextRecordAt + this.#offset, at: this.#nextRecordAt, delivered: false });
    }
    this.#now += ms;
    this.made.push(...made);
    return made;
  }

  /** Each record is heard as it is made. */
  #observe(ms: number): void {
    this.#tell(`observes for ${ms} ms`);
    for (let passed = 0; passed < ms; passed += recordMs) {
      for (const record of this.#pass(recordMs)) this.#hear(record);
      this.#windows.closeDue(this.#now);
    }
  }

  #hear(record: Made): void {
    const { index } = record;
    if (this.#isBroken) {
      // What was missed before it may have had its time.
      this.#windows.apply({ kind: 'readings', readings: [reading(index)], isLate: true }, this.#now);
      this.#isBroken = !this.#windows.apply({ kind: 'resumed', at: index + 1 }, this.#now);
    } else {
      const readings = { kind: 'readings', readings: [reading(index)] } as const;
      const observed = { kind: 'observed', until: index + 1, number: this.#number } as const;
      const isTaken = this.#windows.apply(readings, this.#now) && this.#windows.apply(observed, this.#now);
      this.#isBroken = !isTaken;
    }
    record.delivered = true;
  }

  #outage(ms: number): void {
    this.#tell(`is away for ${ms} ms`);
    this.#break();
    this.#pass(ms);
  }

  #break(): void {
    if (!this.#isBroken) this.#windows.apply({ kind: 'broken', at: this.#end, reason: 'away' }, this.#now);
    this.#isBroken = true;
    this.#fetch();
  }

  get #end(): number {
    return this.#windows.open?.end ?? this.#now + this.#offset;
  }

  /** There is no room for one record. */
  #drop(): void {
    this.#fetch();
    for (const { index } of this.#pass(recordMs)) {
      this.#tell(`drops ${index}`);
      this.#windows.drop({ kind: 'readings', readings: [reading(index)] }, this.#now);
      this.#isBroken = true;
      this.#fetch();
    }
  }

  /** Somebody sets the equipment's clock; a part of the time nobody listens. */
  #step(ms: number): void {
    // Of two steps that nobody hears, one back and one ahead, nobody can know.
    this.#observe(2 * recordMs);
    this.#tell(`its clock is set by ${ms} ms`);
    this.#offset += ms - (ms % recordMs);
    if (ms < 0 && randomInt(this.#random, 2) === 0)
      this.#outage(recordMs * (1 + randomInt(this.#random, 20)));
    this.#observe(2000);
  }

  /** The session ends and nothing is made meanwhile: the next number proves it. */
  #goOn(): void {
    if (this.#isBroken) return;
    this.#tell('goes on by the next number');
    const at = this.#end;
    this.#break();
    const continues = Continuation.nextNumber(this.#number, this.#number + 1);
    this.#isBroken = !this.#windows.apply({ kind: 'resumed', at, continues }, this.#now);
  }

  /** The process ends in order or is killed, and another one goes on from what the disk has. */
  #restart(ms: number): void {
    const isKept = !this.#isBroken && randomInt(this.#random, 2) === 0;
    const { floor, seen } = this.#windows.known(this.#moment);
    this.#windows.interrupt();
    const end = this.#windows.known(this.#moment).floor ?? floor;
    this.#fetch();
    this.#life += 1;
    this.#tell(`starts again after ${ms} ms${isKept ? ', and goes on' : ''}`);
    const before = this.#now;
    if (!isKept) this.#pass(ms);
    this.#windows = this.#make({
      continuity: 'proven',
      ageMs: this.#now - before,
      ...(end === undefined ? {} : { floor: end }),
      ...(seen === undefined ? {} : { seen }),
    });
    this.#isBroken = true;
    if (!isKept || end === undefined) return;
    const continues = Continuation.nextNumber(this.#number, this.#number + 1);
    this.#isBroken = !this.#windows.apply({ kind: 'resumed', at: end, continues }, this.#now);
  }

  #fetch(): void {
    for (const { batch, late } of this.#windows.fetch()?.closed ?? ([] as ClosedWindow[])) {
      const { start: from, end } = batch.window;
      this.#tell(`${late ? 'late ' : ''}[${from - start}, ${end - start}) ${batch.readings.length} readings`);
      if (!late) this.claimed.push({ start: from, end, at: this.#now, life: this.#life });
    }
  }

  get #moment() {
    return { now: this.#now, wall: this.#now };
  }

  #make(known: StreamStart): StreamWindows {
    return new StreamWindows({
      batchId: 'a',
      index: 'time',
      isUnordered: false,
      start: known,
      pace: 'live',
      opened: this.#moment,
      ageMs: 4000,
      quietMs: 9000,
      maxBytes: 1e6,
      maxReadings: 50,
      onViolation: (what) => this.#tell(`violation: ${what}`),
      onRefused: () => {},
    });
  }

  #tell(what: string): void {
    this.story.push(`${this.#now} (${this.#now + this.#offset - start}): ${what}`);
  }
}

const reading = (index: number): Reading => ({ index, tag: 'v', value: index, quality: 'good' });
const show = ({ start: from, end, life }: Claimed) => `[${from - start}, ${end - start}) of life ${life}`;

describe('what windows claim, whatever happens', () => {
  const seeds = Number(process.env.HOLDFAST_SEEDS ?? 300);
  const first = Number(process.env.HOLDFAST_SEED ?? 1);

  it(`is what came, for ${seeds} seeds from ${first} on`, () => {
    let claimed = 0;
    for (let seed = first; seed < first + seeds; seed++) {
      const life = new Life(seed);
      life.run();
      claimed += life.claimed.length;
      const problem = life.problem();
      if (problem) expect.fail(`HOLDFAST_SEED=${seed}: ${problem}\n${life.story.slice(-60).join('\n')}`);
    }
    expect(claimed).toBeGreaterThan(10 * seeds);
  });
});
