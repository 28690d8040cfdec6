// Compares the promises made to the processes of kill-child.ts with what came out in the end.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { killStreams, readingsAt, runOf } from './kill-script.ts';

export interface Sent {
  readonly messageId: string;
  readonly stream: string;
  readonly start: number;
  readonly end: number;
  readonly backfill: boolean;
  readonly hash: string;
  readonly readings: readonly [number, string, unknown][];
}
export interface Fact {
  readonly run: number;
  readonly durable?: number;
  readonly stream?: string;
  readonly lane?: string;
  readonly sent?: readonly Sent[];
  readonly acked?: readonly string[];
  readonly requeued?: readonly string[];
  readonly setting?: number;
  readonly read?: boolean;
  readonly error?: string;
  readonly drained?: boolean;
  readonly opened?: { readonly damaged: number; readonly continuity: string; readonly repair?: string };
}

export function factsIn(logFile: string): readonly Fact[] {
  const lines = readFileSync(logFile, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Fact);
}

/** `runs`: lives that were ended amid their work. `powerCut`: acknowledgements, which are not synced, may be lost with one. */
export function checkPromises(facts: readonly Fact[], runs: number, powerCut: boolean): void {
  expect(facts.at(-1)).toMatchObject({ drained: true });
  expect(facts.filter(({ error }) => error !== undefined)).toEqual([]);
  // No mere end of a process or of the power is called damage.
  const opened = facts.flatMap((fact) => fact.opened ?? []);
  for (const each of opened) expect(each).toEqual({ damaged: 0, continuity: 'proven' });
  const sent = facts.flatMap((fact) => fact.sent ?? []);
  checkReadings(sent);
  checkBounds(sent);
  checkDurable(facts, sent, runs);
  if (!powerCut) checkAcknowledged(facts);
  checkOrder(facts);
  checkSettings(facts);
}

/** Each window holds just what was emitted in it: none missing, none invented, none changed. */
function checkReadings(sent: readonly Sent[]): void {
  for (const { stream, start, end, readings, messageId, backfill } of sent) {
    expect(runOf(start), `${messageId} spans two runs`).toBe(runOf(end - 1));
    const emitted: unknown[] = [];
    for (let index = start; index < end; index++) {
      for (const { tag, value } of readingsAt(stream, index)) emitted.push([index, tag, value]);
    }
    // A window of readings beyond what was stated (late) may lack others that share its position.
    const alone = backfill && end - start === 1;
    if (alone) expect(emitted, messageId).toEqual(expect.arrayContaining([...readings]));
    else expect(readings, messageId).toEqual(emitted);
  }
}

/** A bound that was durable never changed, and no two windows overlap. */
function checkBounds(sent: readonly Sent[]): void {
  const bodies = new Map<string, string>();
  const live = new Map<string, Sent>();
  for (const message of sent) {
    expect(bodies.get(message.messageId) ?? message.hash, message.messageId).toBe(message.hash);
    bodies.set(message.messageId, message.hash);
    if (!message.backfill) live.set(message.messageId, message);
  }
  for (const stream of killStreams) {
    const windows = [...live.values()]
      .filter((each) => each.stream === stream)
      .sort((a, b) => a.start - b.start);
    for (const [n, window] of windows.entries()) {
      if (n > 0) expect(window.start, window.messageId).toBeGreaterThanOrEqual(windows[n - 1]!.end);
    }
  }
}

/** Everything that was durable has come out: covered without a hole from where its run began. */
function checkDurable(facts: readonly Fact[], sent: readonly Sent[], runs: number): void {
  for (const stream of killStreams) {
    for (let number = 0; number < runs; number++) {
      const promised = facts.filter((fact) => fact.run === number && fact.stream === stream);
      const until = Math.max(...promised.map(({ durable }) => durable ?? Number.NEGATIVE_INFINITY));
      if (until === Number.NEGATIVE_INFINITY) continue;
      const windows = sent
        .filter((each) => each.stream === stream && runOf(each.start) === number && !each.backfill)
        .sort((a, b) => a.start - b.start);
      let reached = windows[0]?.start ?? 0;
      expect(reached % 1_000_000_000, `start of ${stream} in run ${number}`).toBe(0);
      for (const window of windows) if (window.start <= reached) reached = Math.max(reached, window.end);
      expect(reached, `${stream} in run ${number}`).toBeGreaterThanOrEqual(until);
    }
  }
}

/** What was acknowledged before a kill (unsynced, but the kernel has it) is not sent again. */
function checkAcknowledged(facts: readonly Fact[]): void {
  const acknowledged = new Map<string, number>();
  const requeued = new Set<string>();
  for (const fact of facts) {
    for (const id of fact.requeued ?? []) requeued.add(id);
    for (const { messageId, backfill } of fact.sent ?? []) {
      const before = acknowledged.get(messageId) ?? fact.run;
      if (!requeued.has(messageId) && !backfill) {
        expect(before, `${messageId} was acknowledged in run ${before}`).toBe(fact.run);
      }
    }
    for (const id of fact.acked ?? []) acknowledged.set(id, fact.run);
  }
}

/** In one lane of one life, a stream's windows go out in their order; only what was given back comes again. */
function checkOrder(facts: readonly Fact[]): void {
  const last = new Map<string, number>();
  const seen = new Set<string>();
  for (const { run: number, lane, sent } of facts) {
    for (const { stream, start, messageId, backfill } of sent ?? []) {
      const again = seen.has(`${number} ${messageId}`);
      seen.add(`${number} ${messageId}`);
      if (again || backfill || lane === 'backfill') continue;
      const place = `${number} ${lane} ${stream}`;
      expect(start, `${messageId} in ${place}`).toBeGreaterThan(last.get(place) ?? -1);
      last.set(place, start);
    }
  }
}

/** A setting that was stored is read after the next start, or a later one. */
function checkSettings(facts: readonly Fact[]): void {
  let stored = -1;
  for (const { setting, read } of facts) {
    if (setting === undefined) continue;
    if (read) expect(setting).toBeGreaterThanOrEqual(stored);
    stored = Math.max(stored, setting);
  }
}
