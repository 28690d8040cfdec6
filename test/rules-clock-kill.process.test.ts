// A rule in the real module process, which is killed with SIGKILL at random moments while the gateway's wall clock is set, back and
// forth by up to an hour. The gateway stamps what it reads by that clock. Where the stream of the source claims a whole window of
// the rule, its verdict is there, once, of all its readings; everything else is a hole of the rule's stream, which the
// module accounts for: void, with the reason, or still open.
//
// HOLDFAST_KILLS sets how many kills, HOLDFAST_SEED repeats their moments.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../kernel/random.ts';
import type { CloudMessage } from '../lab/demo/cloud-copy.ts';
import { telemetry } from '../lab/hub/testing/clients.ts';
import { type Coverage, covers, gaps, intersection, normalise } from '../wire/coverage.ts';
import type { Reading } from '../wire/reading.ts';
import { eventually, type ModuleProcess, startModule } from './support/module-process.ts';
import { openSenderSite, type SenderSite } from './support/sender-site.ts';
import { root } from './support/source-tree.ts';

const kills = Number(process.env.HOLDFAST_KILLS ?? 4);
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-rules-clock-'));
const configFile = join(folder, 'site.yaml');
const clockFile = join(folder, 'clock');
const node = ['--import', join(root, 'test/support/stepped-clock.mjs')];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const windowMs = 500;
const everyMs = 50;
const stream = 'rule:count';

let site: SenderSite;
let module: ModuleProcess | undefined;
let offsetMs = 0;
const messages: CloudMessage[] = [];
const of = (batchId: string) => messages.filter((message) => message.batchId === batchId);

beforeAll(async () => {
  setClock(0);
  site = await openSenderSite({ out: 'in' }, { onMessage: (message) => void messages.push(message) });
  const config = {
    dataFolder: join(folder, 'data'),
    statusPort: 0,
    windows: { ageMs: 300, quietMs: 1000 },
    spool: { commitIntervalMs: 50 },
    // This one kills it on purpose: it need not wait before it reads again.
    restarts: { free: 1_000_000 },
    sources: [
      {
        ...{ name: 'sensor', type: 'module-input', input: 'in', silenceMs: 60_000 },
        sequence: { property: 'n' },
        tags: [{ name: 'v', path: 'v' }],
      },
    ],
    rules: [
      {
        name: 'count',
        inputs: { input: { source: 'sensor' } },
        query: `SELECT COUNT(*) AS n INTO output FROM input GROUP BY TumblingWindow(millisecond, ${windowMs})`,
        outputs: ['upstream'],
      },
    ],
  };
  writeFileSync(configFile, JSON.stringify(config));
});

afterAll(async () => {
  await module?.end('SIGKILL');
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
});

function setClock(ms: number): void {
  offsetMs = ms;
  appendFileSync(clockFile, `${Date.now()} ${ms}\n`);
}

const env = () => ({ ...site.env, HOLDFAST_TEST_CLOCK: clockFile });

/** Measures on until `signal`, one message after the other, whoever takes them. */
async function measure(signal: AbortSignal): Promise<void> {
  for (let n = 1; !signal.aborted; n++) {
    await site.sender.sendOutputEvent('out', telemetry(JSON.stringify({ v: n }), { n: String(n) }));
    await pause(everyMs);
  }
}

/** Killed so long after its process began; the clock is set in between. */
async function live(forMs: number, setTo: number | undefined): Promise<void> {
  const child = spawn(process.execPath, [...node, 'runtime/main.ts', 'run', '--config', configFile], {
    ...{ cwd: root, stdio: 'ignore', env: { ...process.env, ...env() } },
  });
  const ended = once(child, 'exit');
  await pause(forMs / 2);
  if (setTo !== undefined) setClock(setTo);
  await pause(forMs / 2);
  child.kill('SIGKILL');
  await ended;
}

/** Start, end, and of a void its reason. */
type Stated = readonly [start: string, end: string, reason?: string];
const windowOf = ([start, end]: Stated) => ({ start: Date.parse(start), end: Date.parse(end) });

/** What windows claim that are no answers to requests. */
function claims(batchId: string): Coverage {
  const claiming = of(batchId).filter(({ content, isBackfill }) => content.kind === 'batch' && !isBackfill);
  return normalise(claiming.map(({ window }) => window));
}

function readingsOf(batchId: string): readonly Reading[] {
  return of(batchId).flatMap(({ content }) => ('readings' in content ? content.readings : []));
}

describe(`a rule under ${kills} kills and a clock that is set (HOLDFAST_SEED=${seed})`, () => {
  it('has each verdict of what was seen, once, and a reason for everything else', {
    timeout: 120_000 + kills * 8000,
    retry: 0,
  }, async () => {
    const random = seededRandom(seed);
    const end = new AbortController();
    const measuring = measure(end.signal);
    module = await startModule({ config: configFile, env: env(), node });
    await eventually(() => readingsOf(stream).length > 0);
    const offsets = [0];
    const steps = [(2 * random.next() - 1) * 10_000, 3_600_000 * random.next(), -3_600_000 * random.next()];
    // In the running process first, so that it has seen each kind of step.
    for (const ms of steps) {
      setClock(Math.round(ms));
      offsets.push(offsetMs);
      await pause(1500);
    }
    await module.end('SIGKILL');
    for (let n = 0; n < kills; n++) {
      const setTo = random.next() < 0.5 ? Math.round((2 * random.next() - 1) * 3_600_000) : undefined;
      if (setTo !== undefined) offsets.push(setTo);
      await live(1500 + random.next() * 4000, setTo);
    }
    // It comes right in the end: ahead of all that it ever said.
    setClock(Math.max(...offsets) + 60_000);
    const began = Date.now() + offsetMs;
    module = await startModule({ config: configFile, env: env(), node });
    await eventually(() => claims(stream).some(({ start, end }) => end - Math.max(start, began) > 4000));
    end.abort();
    await measuring;
    // Of earlier lives some waits in the backlog.
    await eventually(async () => {
      const { lanes } = (await module!.status()).spool;
      return lanes.live.messages === 0 && lanes.backlog.messages === 0;
    });
    await pause(500);

    const [seen, decided] = [claims('sensor'), claims(stream)];
    const last = decided.at(-1)!.end;
    const counted = new Map<number, Set<number>>();
    for (const { index } of readingsOf('sensor')) {
      if (!covers(seen, { start: index, end: index + 1 })) continue;
      const window = Math.ceil(index / windowMs) * windowMs;
      counted.set(window, (counted.get(window) ?? new Set()).add(index));
    }
    const verdicts = new Map<number, Set<string>>();
    for (const { index, tag, value, quality } of readingsOf(stream))
      if (tag === 'n') verdicts.set(index, (verdicts.get(index) ?? new Set()).add(`${value} ${quality}`));
    let whole = 0;
    for (const [window, places] of counted) {
      if (window >= last || !covers(seen, { start: window - windowMs + 1, end: window + 1 })) continue;
      whole += 1;
      expect([...(verdicts.get(window) ?? [])], `the verdict of ${window}`).toEqual([`${places.size} good`]);
      expect(covers(decided, { start: window, end: window + 1 }), `the claim of ${window}`).toBe(true);
    }
    expect(whole).toBeGreaterThan(5);
    for (const [window, said] of verdicts) {
      expect([...said], `the verdicts of ${window}`).toHaveLength(1);
      expect(counted.has(window), `the readings of ${window}`).toBe(true);
    }

    const holes = gaps(decided);
    for (const [n, { start, end }] of holes.entries()) {
      // Where the rule's stream has none, a stretch of its source's is missing, too: the rule decided all that it was given.
      for (const each of intersection(seen, [{ start, end }]))
        for (const [window, places] of counted)
          if (window >= each.start && window < each.end && [...places].some((place) => place <= window))
            expect(
              verdicts.has(window),
              `the verdict of ${window}, seen in [${each.start}, ${each.end})`,
            ).toBe(true);
      const payload = {
        ...{ requestId: `hole-${n}`, batchId: stream },
        ...{ startWindow: new Date(start).toISOString(), endWindow: new Date(end).toISOString() },
      };
      const call = { deviceId: 'gateway', moduleId: 'holdfast', name: 'backfill', payload };
      const answer = await site.hub.invoke({ ...call, responseTimeoutMs: 30_000, connectTimeoutMs: 0 });
      expect(answer).toMatchObject({ kind: 'answered', status: 202 });
    }
    // Where the clock may still come by, and what is asked for elsewhere, a hole stays open; nothing is closed without a word.
    const accounted = async (n: number) => {
      const call = { deviceId: 'gateway', moduleId: 'holdfast', name: 'getBackfill' };
      const payload = { requestId: `hole-${n}` };
      const answer = await site.hub.invoke({
        ...call,
        ...{ payload, responseTimeoutMs: 30_000, connectTimeoutMs: 0 },
      });
      if (answer.kind !== 'answered') throw new Error(answer.kind);
      return answer.payload as Record<'covered' | 'void' | 'remaining', readonly Stated[]>;
    };
    await pause(3000);
    for (const [n, hole] of holes.entries()) {
      const job = await accounted(n);
      const told = normalise([...job.covered, ...job.void, ...job.remaining].map(windowOf));
      expect(covers(told, hole), `${JSON.stringify(hole)} is accounted for: ${JSON.stringify(job)}`).toBe(
        true,
      );
      for (const [, , reason] of job.void) expect(reason).toBe('no-history');
    }
    expect(await module.end('SIGTERM')).toBe(0);
  });
});
