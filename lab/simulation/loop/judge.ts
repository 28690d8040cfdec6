// Judges a run by all that the equipment ever showed: each message when the hub has it, and the ledger once all is healed.

import { intersection, normalise, subtract, union } from '../../../wire/coverage.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import type { ParsedMessage } from '../../../wire/parse-message.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { Equipment } from './equipment.ts';
import { type Followed, mayLose } from './followed.ts';
import type { Gateway } from './gateway.ts';
import type { Hub, HubEvent } from './hub.ts';
import { tooLarge } from './load-judge.ts';
import { parsedOf, readingsOf } from './read-message.ts';
import { byPosition, faultOf, numberOf, toHold } from './reading-judge.ts';
import { type BackfillPayload, RequestJudge, readWithinMs } from './request-judge.ts';
import { RuleJudge } from './rule-judge.ts';
import { hasRule, ruleNameOf } from './simulated-rule.ts';
import type { Finding, StreamAccount, Verdict } from './verdicts.ts';
import { evictedInSilence, faultsOf, isOfEviction } from './void-judge.ts';
import type { WorldTime } from './world-time.ts';

/** How far the gateway's stamp may be from when the value was shown. */
const stampSlackMs = 2500;
const maxFindings = 20;
/** A window of what came late is closed and sent within this. */
const behindOfLateMs = 120_000;

export class Judge {
  readonly findings: Finding[] = [];
  readonly #time: WorldTime;
  readonly #streams = new Map<string, Followed>();
  /** By the names of their streams, and by those of their sources. */
  readonly #rules = new Map<string, RuleJudge>();
  /** Wall clocks were set: where the gateway stamps, places say less. */
  readonly #clocksWereSet: (deviceId: string) => boolean;
  readonly #hub: Hub;
  readings = 0;
  voids = 0;

  constructor(time: WorldTime, hub: Hub, clocksWereSet: (deviceId: string) => boolean) {
    this.#time = time;
    this.#hub = hub;
    this.#clocksWereSet = clocksWereSet;
  }

  follow(gateway: Gateway, equipment: Equipment, isTight: boolean): void {
    const { deviceId } = gateway;
    const name = `${deviceId}/${equipment.plan.name}`;
    this.#streams.set(name, {
      equipment,
      gateway,
      reached: Number.NEGATIVE_INFINITY,
      requests: new RequestJudge(equipment.plan, (verdict, detail) => this.find(verdict, name, detail)),
      delivered: new Set(),
      sentLate: new Set(),
      sent: new Set(),
      calledEvicted: [],
      calledUnhad: [],
      lostLate: false,
      owed: [],
      parts: new Map(),
      claimed: [],
      voids: [],
      isTight,
    });
    if (!hasRule(equipment)) return;
    const ofRule = `${deviceId}/rule:${ruleNameOf(equipment.plan.name)}`;
    const find = (verdict: Verdict, detail: string) => this.find(verdict, ofRule, detail);
    const judge = new RuleJudge(equipment, find, gateway);
    this.#rules.set(ofRule, judge);
    this.#rules.set(name, judge);
  }

  /** The module sends what a rule wants done. */
  act(deviceId: string, message: WireMessage): void {
    const rule = this.#rules.get(`${deviceId}/${message.messageId.split(';')[0]}`);
    if (rule === undefined) this.find('wild-action', deviceId, `${message.messageId} is of no rule`);
    // By a clock that is wrong nobody can tell how old it is.
    else if (!this.#clocksWereSet(deviceId)) rule.act(message, this.#time.wall);
  }

  get verdicts(): number {
    return [...new Set(this.#rules.values())].reduce((sum, rule) => sum + rule.verdicts, 0);
  }

  get actions(): number {
    return [...new Set(this.#rules.values())].reduce((sum, rule) => sum + rule.actions, 0);
  }

  /** The module has given a message out; it may be lost on its way. */
  noteSent(deviceId: string, message: WireMessage): void {
    const stream = this.#streams.get(`${deviceId}/${message.properties.batchId}`);
    if (stream === undefined) return;
    const parsed = parsedOf(message);
    if (parsed.kind === 'late-void') stream.lostLate = true;
    else if (parsed.kind === 'void') {
      if (parsed.reason === 'evicted') stream.calledEvicted.push(parsed.window);
    } else if (parsed.kind === 'late' || isOfEviction(stream))
      for (const reading of readingsOf(parsed, message))
        if (reading.tag === 'value') {
          stream.sent.add(numberOf(reading));
          if (parsed.kind === 'late') stream.sentLate.add(numberOf(reading));
        }
  }

  /** The hub has a message. */
  hear({ deviceId, message }: HubEvent): void {
    const parsed = parsedOf(message);
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
    if (parsed.kind === 'late-void') {
      // The spool has given the number out, and keeps what it is of.
      if (!mayLose(stream))
        this.find('false-void', name, `late ${parsed.late.first} to ${parsed.late.last}: ${parsed.reason}`);
      return;
    }
    if (parsed.kind === 'void') {
      this.voids += 1;
      stream.voids.push(parsed.window);
      if (parsed.reason === 'no-history') stream.calledUnhad.push(parsed.window);
      const faults = faultsOf(stream, parsed.window, parsed.reason, this.#time);
      for (const fault of faults)
        this.find(
          'false-void',
          name,
          `[${parsed.window.start}, ${parsed.window.end}) ${parsed.reason}, ${fault}`,
        );
      return;
    }
    const readings = readingsOf(parsed, message);
    this.readings += readings.length;
    for (const some of byPosition(readings)) this.#hearPosition(name, stream, some);
    if (parsed.kind === 'late') return;
    if (!parsed.isBackfill) {
      rule?.hearInput(parsed.window);
      stream.reached = Math.max(stream.reached, parsed.window.end);
    }
    this.#hearClaim(name, stream, parsed.window, readings, parsed.part, parsed.partSet);
  }

  #hearRule(rule: RuleJudge, parsed: ParsedMessage, message: WireMessage): void {
    if (parsed.kind !== 'batch' && parsed.kind !== 'late') return;
    const readings = readingsOf(parsed, message);
    rule.hear(parsed.window, parsed.kind === 'late', readings);
  }

  #hearPosition(
    name: string,
    { equipment, gateway, delivered }: Followed,
    readings: readonly Reading[],
  ): void {
    const { index } = readings[0]!;
    const reading = readings.find(({ tag }) => tag === 'value');
    const number = reading === undefined ? Number.NaN : numberOf(reading);
    const sample = equipment.samples[number];
    if (sample === undefined || sample.value !== reading?.value) {
      this.find('invented', name, `${reading?.value} at ${index} was never shown`);
      return;
    }
    const mayBeMarked = equipment.plan.stamping === 'gateway' && this.#clocksWereSet(gateway.deviceId);
    const fault = faultOf(equipment.plan, sample, readings, mayBeMarked);
    if (fault !== undefined) this.find('altered', name, `of sample ${number} at ${index} ${fault}`);
    const isItsPlace =
      equipment.plan.stamping === 'own'
        ? sample.index === index
        : this.#clocksWereSet(gateway.deviceId) || Math.abs(sample.index - index) <= stampSlackMs;
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
    const { equipment, gateway } = stream;
    const isOwn = equipment.plan.stamping === 'own';
    const isAhead = window.end > equipment.reachedTo + (isOwn ? 0 : stampSlackMs);
    // Where the gateway stamps, and its clock was wrong, the future is its own.
    if (isAhead && (isOwn || !this.#clocksWereSet(gateway.deviceId)))
      this.find('future', name, `[${window.start}, ${window.end}) ends after ${equipment.reachedTo}`);
    const values = all.filter(({ tag }) => tag === 'value');
    const holds = new Set(values.map(numberOf));
    // Behind a clock that leapt ahead what comes is late until the claims are there, too.
    const cameLate = (number: number) =>
      equipment.plan.late !== undefined && (stream.delivered.has(number) || stream.sentLate.has(number));
    const lacks = toHold(stream, window, values).filter(
      ({ number }) => !holds.has(number) && !cameLate(number),
    );
    if (lacks.length === 0) return;
    // Live data overtakes it: what is late may wait in the backlog yet.
    if (equipment.plan.late !== undefined && equipment.hasLeapt) {
      stream.owed.push(...lacks.map((sample) => ({ window, number: sample.number })));
      return;
    }
    const { number, index } = lacks[0]!;
    this.find(
      'false-coverage',
      name,
      `[${window.start}, ${window.end}) lacks ${lacks.length}, first sample ${number} at ${index}`,
    );
  }

  /** Somebody calls a method. `upMs`: for how long there have been detectors. */
  hearCall(deviceId: string, method: string, payload: object, upMs: number): void {
    const { batchId } = payload as { readonly batchId?: string };
    const name = `${deviceId}/${batchId}`;
    const stream = this.#streams.get(name);
    if (method !== 'backfill' || stream === undefined) return;
    // By a clock that is wrong windows are set aside, and asked for later.
    const mayKnow = upMs >= readWithinMs && !this.#clocksWereSet(deviceId);
    const held = mayKnow ? this.#hub.held(deviceId) : [];
    stream.requests.hear(payload as BackfillPayload, held, this.#time);
  }

  /** A module took a request on, and does not know it any more. */
  hearForgotten({ deviceId, lostStorageAt }: Gateway, requestId: string, takenAt: number): void {
    // A job that ended in 1970 is older than it is kept.
    if (takenAt > lostStorageAt && !this.#clocksWereSet(deviceId))
      this.find('broken-promise', deviceId, `${requestId} was accepted, and is not known`);
  }

  /** What a gateway has under way and on its disk. */
  weigh(gateway: Gateway): void {
    for (const detail of tooLarge(gateway)) this.find('unbounded', gateway.deviceId, detail);
    for (const detail of gateway.diskFaults) this.find('unsealed', gateway.deviceId, detail);
  }

  /** Nothing has been wrong for long: what the equipment shows has to be here. */
  lookForLive(deviceId: string, limitMs: number): void {
    for (const [name, { gateway, equipment, reached }] of this.#streams) {
      if (gateway.deviceId !== deviceId || equipment.reachedTo === 0) continue;
      const { index, periodMs } = equipment.plan;
      // What a clock ahead stamped is nothing to claim before its time.
      const due = index === 'time' ? Math.min(equipment.reachedTo, this.#time.wall) : equipment.reachedTo;
      const behind = (due - reached) * (index === 'time' ? 1 : periodMs);
      if (behind > limitMs) this.find('behind', name, `${Math.round(behind / 1000)} s, and all is well`);
    }
  }

  /** As `close`, of what rules decided. `accounts`: by stream. */
  closeRules(accounts: ReadonlyMap<string, StreamAccount>): void {
    for (const [name, rule] of this.#rules) {
      const source = this.#streams.get(name);
      if (source === undefined) continue;
      const stream = name.replace(/[^/]+$/, (source) => `rule:${ruleNameOf(source)}`);
      const { covered: sourceCovered = [], voids: sourceVoids = [] } = accounts.get(name) ?? {};
      const { covered = [], voids = [] } = accounts.get(stream) ?? {};
      const told = mayLose(source) ? { voids, sourceVoids } : { voids: [], sourceVoids: [] };
      rule.close(
        { covered, ...told, mayLose: mayLose(source) },
        source.delivered,
        sourceCovered[0]?.start ?? 0,
      );
    }
  }

  /** All is healed, and the ledger says that it is closed. */
  close(name: string, account: StreamAccount): void {
    const stream = this.#streams.get(name)!;
    this.#closePromises(name, stream, account);
    this.#closeOwed(name, stream);
    const { equipment, delivered } = stream;
    if (isOfEviction(stream)) {
      const hidden = evictedInSilence(stream);
      if (hidden !== undefined)
        this.find('false-void', name, `sample ${hidden} was removed unsent, and is called no-history`);
    }
    if (equipment.plan.stamping !== 'own') {
      this.#closeOwn(name, stream, account);
      return;
    }
    const known = union(account.covered, account.voids);
    for (const { start, end } of account.covered) {
      const lacks = equipment
        .shown({ start, end })
        .filter(({ number, lateMs }) => lateMs === 0 && !delivered.has(number));
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
      .filter(({ number, lateMs }) => lateMs === 0 && !delivered.has(number));
    if (lost.length > 0)
      this.find('lost', name, `sample ${lost[0]!.number} at ${lost[0]!.index} is neither here nor void`);
  }

  #closeOwed(name: string, { owed, delivered, sentLate }: Followed): void {
    const never = owed.find(({ number }) => !delivered.has(number) && !sentLate.has(number));
    if (never !== undefined)
      this.find(
        'false-coverage',
        name,
        `[${never.window.start}, ...) lacks ${never.number}, which never came`,
      );
  }

  #closePromises(name: string, stream: Followed, { covered, voids }: StreamAccount): void {
    const { equipment, gateway, delivered } = stream;
    // Readings that wait for the wall clock to come right lose their place with the machine's restart (docs/OPERATIONS.md).
    if (equipment.plan.stamping !== 'own' && this.#clocksWereSet(gateway.deviceId)) return;
    // What came late is sent before the window that is open.
    const newest = [...delivered].reduce(
      (most, number) => (equipment.samples[number]!.lateMs > 0 ? most : Math.max(most, number)),
      -1,
    );
    const known = union(covered, voids);
    const isTold = (number: number) => {
      const sample = equipment.samples[number]!;
      const { index, at, lateMs } = sample;
      if (!mayLose(stream, sample)) return false;
      // Of what came late its number is told, and not its place.
      if (lateMs > 0) return true;
      // The gateway's stamp is not the moment at which it was shown.
      const slackMs = equipment.plan.stamping === 'own' ? 0 : stampSlackMs;
      // The hub lost all that it had of the stream by then, and the gateway its store: nobody knows that it began before.
      if (at < gateway.lostStorageAt && index < (known[0]?.start ?? 0)) return true;
      return voids.some(({ start, end }) => start - slackMs <= index && index < end + slackMs);
    };
    const isOnItsWay = (number: number) => {
      const { at, lateMs } = equipment.samples[number]!;
      return number >= newest || (lateMs > 0 && at + lateMs > this.#time.elapsed - behindOfLateMs);
    };
    const broken = [...equipment.promised].filter(
      (number) => !isOnItsWay(number) && !delivered.has(number) && !isTold(number),
    );
    if (broken.length > 0)
      this.find(
        'broken-promise',
        name,
        `${broken.length} samples, first ${broken[0]} at ${equipment.samples[broken[0]!]!.index}, never came`,
      );
  }

  /** What was said by a window must be in the ledger, and no void over it. */
  #closeOwn(name: string, stream: Followed, { covered, voids }: StreamAccount): void {
    const { claimed } = stream;
    // What came last may not have been read yet.
    const end = covered.at(-1)?.end ?? 0;
    const known = claimed.filter((window) => window.end <= end);
    // The hub may have removed it unread, and the gateway have had no room to keep it until it was asked.
    const away = subtract(subtract(normalise(known), covered), mayLose(stream) ? voids : []);
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
