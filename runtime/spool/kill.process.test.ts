// kill -9 at random moments of a real run on a real LevelDB. What the process had promised before is checked
// against what comes out in the end.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import { killStreams, readingsAt, runOf } from './testing/kill-script.ts';

const kills = Number(process.env.HOLDFAST_KILLS ?? 25);
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-kill-'));
const logFile = join(folder, 'promises.jsonl');
const child = join(import.meta.dirname, 'testing', 'kill-child.ts');

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Sent {
  readonly messageId: string;
  readonly stream: string;
  readonly start: number;
  readonly end: number;
  readonly backfill: boolean;
  readonly hash: string;
  readonly readings: readonly [number, string, unknown][];
}
interface Fact {
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
}

/** `start`: killed so long after it began; `work`: after it had opened its spool; `drain`: ends by itself. */
type Life = { readonly start: number } | { readonly work: number } | 'drain';

async function run(number: number, life: Life): Promise<void> {
  const drain = life === 'drain' ? ['drain'] : [];
  const sizeBefore = logSize();
  const args = [child, join(folder, 'spool'), logFile, String(number), ...drain];
  const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<void>((resolve) => process_.on('exit', () => resolve()));
  if (life !== 'drain') {
    if ('work' in life) await Promise.race([firstWord(sizeBefore), ended]);
    await wait('work' in life ? life.work : life.start);
    process_.kill('SIGKILL');
  }
  await ended;
}

/** The child's first word comes once its spool is open. */
async function firstWord(sizeBefore: number): Promise<void> {
  while (logSize() <= sizeBefore) await wait(5);
}

function logSize(): number {
  return statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
}

describe(`kill -9, ${kills} times (HOLDFAST_SEED=${seed})`, () => {
  it('keeps every promise that was made before', { timeout: 60_000 + kills * 4000, retry: 0 }, async () => {
    const random = seededRandom(seed);
    // Some die while they start and recover, most in the middle of their work.
    for (let n = 0; n < kills; n++) {
      await run(n, n % 4 === 0 ? { start: 150 + random.next() * 600 } : { work: 20 + random.next() * 800 });
    }
    await run(kills, 'drain');
    const facts = readFileSync(logFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Fact);
    expect(facts.at(-1)).toMatchObject({ drained: true });
    expect(facts.filter(({ error }) => error !== undefined)).toEqual([]);
    const sent = facts.flatMap((fact) => fact.sent ?? []);
    // The run was one: something was promised, sent and acknowledged in most lives.
    expect(facts.filter(({ durable }) => durable !== undefined).length).toBeGreaterThan(kills * 10);
    expect(sent.length).toBeGreaterThan(kills * 5);

    checkReadings(sent);
    checkBounds(sent);
    checkDurable(facts, sent);
    checkAcknowledged(facts);
    checkOrder(facts);
    checkSettings(facts);
  });
});

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
function checkDurable(facts: readonly Fact[], sent: readonly Sent[]): void {
  for (const stream of killStreams) {
    for (let number = 0; number < kills; number++) {
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
