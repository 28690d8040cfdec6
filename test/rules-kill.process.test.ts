// A rule in the real module process, which is killed with SIGKILL at random moments: another module measures and hands over, the
// hub keeps what nobody takes and routes back what the rule sends. Each window has to have its verdict, of all its
// readings, in exactly one place of the rule's stream, and each action has to reach its receiver under one id.
//
// HOLDFAST_KILLS sets how many kills, HOLDFAST_SEED repeats their moments.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../kernel/random.ts';
import { createVerdictLog } from '../lab/demo/verdict-log.ts';
import { telemetry } from '../lab/hub/testing/clients.ts';
import { covers } from '../wire/coverage.ts';
import { eventually, type ModuleProcess, startModule } from './support/module-process.ts';
import { openSenderSite, type SenderSite } from './support/sender-site.ts';
import { root } from './support/source-tree.ts';

const kills = Number(process.env.HOLDFAST_KILLS ?? 5);
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-rules-kill-'));
const configFile = join(folder, 'site.yaml');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const windowMs = 500;
const everyMs = 100;
const stream = 'rule:count';

let site: SenderSite;
let module: ModuleProcess | undefined;
const log = createVerdictLog(stream);
/** Times of the messages that were handed over. */
const sent: number[] = [];
/** Of each action, how often it came. */
const received = new Map<string, number>();

beforeAll(async () => {
  site = await openSenderSite({ out: 'in' }, { back: { control: 'control' }, onMessage: log.take });
  site.sender.on('inputMessage', (_input, message) => {
    received.set(message.messageId, (received.get(message.messageId) ?? 0) + 1);
    site.sender.complete(message).catch(() => {});
  });
  const config = {
    dataFolder: join(folder, 'data'),
    windows: { ageMs: 300, quietMs: 1000 },
    spool: { commitIntervalMs: 50 },
    // This one kills it on purpose: it need not wait before it reads again.
    restarts: { free: 1_000_000 },
    sources: [
      {
        ...{ name: 'sensor', type: 'module-input', input: 'in', silenceMs: 60_000, latenessMs: 0 },
        time: { path: 't' },
        sequence: { property: 'n' },
        tags: [{ name: 'v', path: 'v' }],
      },
    ],
    rules: [
      {
        name: 'count',
        inputs: { input: { source: 'sensor' } },
        query: `SELECT COUNT(*) AS n, MAX(time) AS maxEventTime INTO output FROM input GROUP BY TumblingWindow(millisecond, ${windowMs})`,
        outputs: ['upstream', { send: 'control' }],
        validForMs: '1h',
        perMinute: 6000,
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

/** Measures on until `signal`, one message after the other, whoever takes them. */
async function measure(signal: AbortSignal): Promise<void> {
  for (let n = 1; !signal.aborted; n++) {
    const t = Date.now();
    await site.sender.sendOutputEvent('out', telemetry(JSON.stringify({ t, v: n }), { n: String(n) }));
    sent.push(t);
    await pause(everyMs);
  }
}

/** Killed so long after its process began: amid its start, its connection, or its work. */
async function live(forMs: number): Promise<void> {
  const child = spawn(process.execPath, ['runtime/main.ts', 'run', '--config', configFile], {
    ...{ cwd: root, stdio: 'ignore', env: { ...process.env, ...site.env } },
  });
  const ended = once(child, 'exit');
  await pause(forMs);
  child.kill('SIGKILL');
  await ended;
}

describe(`a rule whose process is killed ${kills} times (HOLDFAST_SEED=${seed})`, () => {
  it('has each verdict exactly once, of all that its windows held, and each action reaches its receiver under one id', {
    timeout: 90_000 + kills * 5000,
    retry: 0,
  }, async () => {
    const random = seededRandom(seed);
    const end = new AbortController();
    const measuring = measure(end.signal);
    module = await startModule({ config: configFile, env: site.env });
    await eventually(() => [...log.verdicts.values()].some(({ isWhole }) => isWhole));
    await module.end('SIGKILL');
    for (let n = 0; n < kills; n++) await live(random.next() * 3000);
    module = await startModule({ config: configFile, env: site.env });
    await pause(1000);
    end.abort();
    await measuring;
    const last = sent.at(-1)!;
    const lastWindow = Math.floor((last - 1) / windowMs) * windowMs;
    await eventually(() => log.verdicts.has(lastWindow));
    await eventually(() => log.outcomes.size === log.verdicts.size);

    const copy = site.tap.copy.streams().get(stream)!;
    const counted = new Map<number, number>();
    for (const t of sent) {
      const window = Math.ceil(t / windowMs) * windowMs;
      counted.set(window, (counted.get(window) ?? 0) + 1);
    }
    // What was measured before the module first looked is in no window of it.
    const first = Math.min(
      ...[...log.verdicts].flatMap(([window, { isWhole }]) => (isWhole ? [window] : [])),
    );
    const due = [...counted.keys()].filter((window) => window >= first && window <= lastWindow);
    expect(due.length).toBeGreaterThan(kills);
    for (const window of due) {
      expect(log.verdicts.get(window), `the verdict of ${window}`).toMatchObject({ isWhole: true });
      expect(copy.readings.get(window)?.get('n')).toMatchObject({ value: counted.get(window), others: [] });
      expect(covers(copy.covered, { start: window, end: window + 1 }), `the claim of ${window}`).toBe(true);
    }
    for (const [window, { places }] of log.verdicts) {
      expect([...places], `the places of ${window}`).toHaveLength(1);
      expect(counted.has(window), `the readings of ${window}`).toBe(true);
    }
    // No machine is moved by a verdict that lacks what was measured before the module looked.
    const windowOf = (id: string) => Number(id.split(';')[1]);
    for (const [id, outcome] of log.outcomes) {
      expect(outcome, id).toBe(windowOf(id) >= first ? 'done' : 'refused');
      expect(received.has(id), id).toBe(outcome === 'done');
    }
    for (const id of received.keys()) expect(log.verdicts.has(windowOf(id)), id).toBe(true);
    expect(received.size).toBe([...log.verdicts.keys()].filter((window) => window >= first).length);
    expect(await module.end('SIGTERM')).toBe(0);
  });
});
