// Judges a run by all that the equipment ever showed: each message when the hub has it, and the ledger once all is healed.

import { decodeBody } from '../../../wire/body.ts';
import { intersection, normalise, subtract, union } from '../../../wire/coverage.ts';
import { parseMessage } from '../../../wire/message.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import type { ParsedMessage } from '../../../wire/parse-message.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { Equipment, Sample } from './equipment.ts';
import type { HubEvent } from './hub.ts';
import { RuleJudge, type RuleVerdict, ruleOver } from './rule-judge.ts';
import type { WorldTime } from './world-time.ts';

/** What a run can be found guilty of. */
export type Verdict =
  | 'invented' // a reading that the equipment never showed, or at another place
  | 'false-coverage' // a window claims, and does not hold
  | 'false-void' // void over what the equipment still has, or what was delivered by a window
  | 'future' // a claim on what has not happened
  | 'broken-promise' // a sample was called durable, and never came
  | 'lost' // the ledger is closed, and a sample is neither delivered nor in a void
  | 'not-closed' // the ledger does not close in bounded time
  | 'behind' // live data does not arrive although all is well
  | 'crashed' // the module or the detector ended by itself
  | RuleVerdict;

export interface Finding {
  readonly verdict: Verdict;
  readonly stream: string;
  readonly detail: string;
}

export interface StreamAccount {
  readonly covered: readonly Window[];
  readonly voids: readonly Window[];
  readonly missing: readonly Window[];
}

interface Followed {
  readonly equipment: Equipment;
  readonly delivered: Set<number>;
  /** Parts that have come, by window and set. */
  readonly parts: Map<string, { readonly came: Map<number, readonly Reading[]>; readonly n: number }>;
  claimed: Window[];
  voids: Window[];
  /** Its spool has less room than it may need: what was promised may be declared lost. */
  readonly isTight: boolean;
}

/** Rules are over what stamps its own samples: of that it is known what was to be seen when. */
export function hasRule({ plan }: Equipment): boolean {
  return plan.stamping === 'own' && plan.index === 'time';
}

/** How far the gateway's stamp may be from when the value was shown. */
const stampSlackMs = 2500;
const maxFindings = 20;

export class Judge {
  readonly findings: Finding[] = [];
  readonly #time: WorldTime;
  readonly #streams = new Map<string, Followed>();
  /** By the names of their streams, and by those of their sources. */
  readonly #rules = new Map<string, RuleJudge>();
  /** Wall clocks were set: where the gateway stamps, places say less. */
  readonly #clocksWereSet: () => boolean;
  readings = 0;
  voids = 0;

  constructor(time: WorldTime, clocksWereSet: () => boolean) {
    this.#time = time;
    this.#clocksWereSet = clocksWereSet;
  }

  follow(deviceId: string, equipment: Equipment, isTight = false): void {
    this.#streams.set(`${deviceId}/${equipment.plan.name}`, {
      equipment,
      delivered: new Set(),
      parts: new Map(),
      claimed: [],
      voids: [],
      isTight,
    });
    if (!hasRule(equipment)) return;
    const name = `${deviceId}/rule:${ruleOver(equipment.plan.name).name}`;
    const judge = new RuleJudge(equipment, (verdict, detail) => this.find(verdict, name, detail));
    this.#rules.set(name, judge);
    this.#rules.set(`${deviceId}/${equipment.plan.name}`, judge);
  }

  /** The module sends what a rule wants done. */
  act(deviceId: string, message: WireMessage): void {
    const rule = this.#rules.get(`${deviceId}/${message.messageId.split(';')[0]}`);
    if (rule === undefined) this.find('wild-action', deviceId, `${message.messageId} is of no rule`);
    // By a clock that is wrong nobody can tell how old it is.
    else if (!this.#clocksWereSet()) rule.act(message, this.#time.wall);
  }

  get verdicts(): number {
    return [...new Set(this.#rules.values())].reduce((sum, rule) => sum + rule.verdicts, 0);
  }

  get actions(): number {
    return [...new Set(this.#rules.values())].reduce((sum, rule) => sum + rule.actions, 0);
  }

  /** The hub has a message. */
  hear({ deviceId, message }: HubEvent): void {
    const parsed = parseMessage(message.properties, {
      messageId: message.messageId,
      contentType: 'application/json',
      contentEncoding: message.contentEncoding,
    });
    const name = `${deviceId}/${parsed.batchId}`;
    const stream = this.#streams.get(name);
    const rule = this.#rules.get(name);
    if (rule !== undefined && stream === undefined) {
      this.#hearRule(rule, parsed, message);
      return;
    }
    if (stream === undefined) {
      this.find('invented', name, 'there is no such stream');
      return;
    }
    if (parsed.kind === 'late-void') return;
    if (parsed.kind === 'void') {
      this.voids += 1;
      this.#hearVoid(name, stream, parsed.window, parsed.reason);
      return;
    }
    const readings = decodeBody(message.body, {
      schema: parsed.schema ?? 'columns/1',
      index: parsed.index,
      contentEncoding: parsed.contentEncoding,
    } as never);
    this.readings += readings.length;
    for (const reading of readings) this.#hearReading(name, stream, reading);
    if (parsed.kind === 'late') return;
    if (!parsed.isBackfill) rule?.hearInput(parsed.window);
    this.#hearClaim(name, stream, parsed.window, readings, parsed.part, parsed.partSet);
  }

  #hearRule(rule: RuleJudge, parsed: ParsedMessage, message: WireMessage): void {
    if (parsed.kind !== 'batch' && parsed.kind !== 'late') return;
    const readings = decodeBody(message.body, {
      schema: parsed.schema ?? 'columns/1',
      index: parsed.index,
      contentEncoding: parsed.contentEncoding,
    } as never);
    rule.hear(parsed.window, parsed.kind === 'late', readings);
  }

  #hearReading(name: string, { equipment, delivered }: Followed, { index, value }: Reading): void {
    const number = (Number(value) - 1) / 7;
    const sample = equipment.samples[number];
    if (sample === undefined || sample.value !== value) {
      this.find('invented', name, `${value} at ${index} was never shown`);
      return;
    }
    const isItsPlace =
      equipment.plan.stamping === 'own'
        ? sample.index === index
        : this.#clocksWereSet() || Math.abs(sample.index - index) <= stampSlackMs;
    if (!isItsPlace) this.find('invented', name, `sample ${number} of ${sample.index} was given at ${index}`);
    delivered.add(number);
  }

  #hearClaim(
    name: string,
    stream: Followed,
    window: Window,
    readings: readonly Reading[],
    part: { readonly k: number; readonly n: number } | undefined,
    set: string | undefined,
  ): void {
    let all = readings;
    if (part !== undefined) {
      const key = `${window.start}-${window.end} ${set}`;
      const parts = stream.parts.get(key) ?? { came: new Map<number, readonly Reading[]>(), n: part.n };
      stream.parts.set(key, parts);
      parts.came.set(part.k, readings);
      if (parts.came.size < parts.n) return;
      all = [...parts.came.keys()].sort((a, b) => a - b).flatMap((k) => parts.came.get(k)!);
    }
    stream.claimed.push(window);
    const { equipment } = stream;
    if (
      window.end > equipment.recordedTo + (equipment.plan.stamping === 'own' ? 0 : stampSlackMs) &&
      !this.#clocksWereSet()
    )
      this.find('future', name, `[${window.start}, ${window.end}) ends after ${equipment.recordedTo}`);
    const holds = new Set(all.map(({ value }) => (Number(value) - 1) / 7));
    const lacks = this.#shownIn(stream, window, all).filter(({ number }) => !holds.has(number));
    if (lacks.length === 0) return;
    const { number, index } = lacks[0]!;
    this.find(
      'false-coverage',
      name,
      `[${window.start}, ${window.end}) lacks ${lacks.length}, first sample ${number} at ${index}`,
    );
  }

  /** What a window has to hold. Of what the gateway stamps: whatever was shown between two that it holds. */
  #shownIn({ equipment }: Followed, window: Window, readings: readonly Reading[]): readonly Sample[] {
    if (equipment.plan.stamping === 'own') return equipment.shown(window);
    if (readings.length === 0) return [];
    const numbers = readings.map(({ value }) => (Number(value) - 1) / 7);
    return equipment.samples.slice(Math.min(...numbers), Math.max(...numbers) + 1);
  }

  #hearVoid(name: string, stream: Followed, window: Window, reason: string): void {
    const { equipment } = stream;
    stream.voids.push(window);
    if (equipment.plan.stamping !== 'own') return;
    if (window.end > equipment.recordedTo) {
      this.find(
        'false-void',
        name,
        `[${window.start}, ${window.end}) ${reason} reaches into what is to come`,
      );
      return;
    }
    if (equipment.plan.memory > 0 && equipment.held(window).length > 0)
      this.find('false-void', name, `[${window.start}, ${window.end}) ${reason}, and the equipment has it`);
  }

  /** As `close`, of what rules decided. `accounts`: by stream. */
  closeRules(accounts: ReadonlyMap<string, StreamAccount>): void {
    for (const [name, rule] of this.#rules) {
      const source = this.#streams.get(name);
      if (source === undefined) continue;
      const stream = name.replace(/[^/]+$/, (source) => `rule:${ruleOver(source).name}`);
      const from = accounts.get(name)?.covered[0]?.start ?? 0;
      const { covered = [], voids = [] } = accounts.get(stream) ?? {};
      rule.close({ covered, voids: source.isTight ? voids : [] }, source.delivered, from);
    }
  }

  /** All is healed, and the ledger says that it is closed. */
  close(name: string, account: StreamAccount): void {
    const stream = this.#streams.get(name)!;
    this.#closePromises(name, stream, account);
    const { equipment, delivered } = stream;
    if (equipment.plan.stamping !== 'own') {
      this.#closeOwn(name, stream, account);
      return;
    }
    const known = union(account.covered, account.voids);
    for (const { start, end } of account.covered) {
      const lacks = equipment.shown({ start, end }).filter(({ number }) => !delivered.has(number));
      if (lacks.length > 0)
        this.find(
          'lost',
          name,
          `sample ${lacks[0]!.number} at ${lacks[0]!.index} is covered, and never came`,
        );
    }
    const [first, last] = [known[0]?.start, known.at(-1)?.end];
    if (first === undefined || last === undefined) {
      this.find('behind', name, 'nothing ever arrived');
      return;
    }
    const open = subtract([{ start: first, end: last }], known);
    const lost = open
      .flatMap((window) => equipment.shown(window))
      .filter(({ number }) => !delivered.has(number));
    if (lost.length > 0)
      this.find('lost', name, `sample ${lost[0]!.number} at ${lost[0]!.index} is neither here nor void`);
  }

  #closePromises(name: string, { equipment, delivered, isTight }: Followed, { voids }: StreamAccount): void {
    // Readings that wait for the wall clock to come right lose their place with the machine's restart (docs/OPERATIONS.md).
    if (equipment.plan.stamping !== 'own' && this.#clocksWereSet()) return;
    // What is newer is on its way.
    const newest = [...delivered].reduce((most, number) => Math.max(most, number), -1);
    const isTold = (number: number) => {
      const { index } = equipment.samples[number]!;
      return isTight && voids.some(({ start, end }) => start <= index && index < end);
    };
    const broken = [...equipment.promised].filter(
      (number) => number < newest && !delivered.has(number) && !isTold(number),
    );
    if (broken.length > 0)
      this.find('broken-promise', name, `${broken.length} samples, first ${broken[0]}, never came`);
  }

  /** What was said by a window must be in the ledger, and no void over it. */
  #closeOwn(name: string, { claimed, isTight }: Followed, { covered, voids }: StreamAccount): void {
    // What came last may not have been read yet.
    const end = covered.at(-1)?.end ?? 0;
    const known = claimed.filter((window) => window.end <= end);
    // The hub may have removed it unread, and the gateway have had no room to keep it until it was asked.
    const away = subtract(subtract(normalise(known), covered), isTight ? voids : []);
    if (away.length > 0)
      this.find('lost', name, `[${away[0]!.start}, ${away[0]!.end}) came, and is not in the ledger`);
    const both = intersection(covered, voids);
    if (both.length > 0)
      this.find('false-void', name, `[${both[0]!.start}, ${both[0]!.end}) is here, and void`);
  }

  find(verdict: Verdict, stream: string, detail: string): void {
    if (this.findings.length < maxFindings)
      this.findings.push({
        verdict,
        stream,
        detail: `${detail} (${(this.#time.elapsed / 1000).toFixed(1)} s)`,
      });
  }

  get streams(): readonly string[] {
    return [...this.#streams.keys()];
  }

  equipmentOf(name: string): Equipment {
    return this.#streams.get(name)!.equipment;
  }
}
