// Another module as a source, with real processes: the sender speaks the unmodified device client, the hub routes its
// output to the module's input, and the module is killed between receipt and completion.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { telemetry } from '../../../lab/hub/testing/clients.ts';
import { eventually, type ModuleProcess, startModule } from '../../../test/support/module-process.ts';
import { openSenderSite, type SenderSite } from '../../../test/support/sender-site.ts';
import { covers } from '../../../wire/coverage.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-module-input-'));
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let site: SenderSite;
let module: ModuleProcess | undefined;

beforeAll(async () => {
  site = await openSenderSite({ temperatureOutput: 'temperatureOutput', adapter: 'adapter' });
  const fields = ['machine.temperature', 'machine.pressure', 'ambient.temperature', 'ambient.humidity'];
  const config = {
    dataFolder: join(folder, 'data'),
    windows: { ageMs: 300, quietMs: 1000 },
    spool: { commitIntervalMs: 80 },
    restarts: { free: 1000 },
    sources: [
      {
        name: 'sensor',
        type: 'module-input',
        input: 'temperatureOutput',
        time: { path: 'timeCreated' },
        sequence: { property: 'sequenceNumber' },
        silenceMs: 30_000,
        latenessMs: 0,
        tags: fields.map((name) => ({ name, path: name })),
      },
      { name: 'adapter', type: 'module-input', input: 'adapter', format: 'readings/1', silenceMs: 30_000 },
    ],
  };
  writeFileSync(join(folder, 'site.yaml'), JSON.stringify(config));
});
afterAll(async () => {
  await module?.end('SIGKILL');
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  module = await startModule({
    config: join(folder, 'site.yaml'),
    env: site.env,
  });
}

const streamOf = (batchId: string) => site.tap.copy.streams().get(batchId);

describe('messages of another module', () => {
  it('all arrive, although the module is killed between receipt and completion', { retry: 0 }, async () => {
    const random = seededRandom(seed);
    const sent = new Map<number, number>();
    let isSending = true;
    const sending = (async () => {
      for (let number = 1; isSending; number++) {
        const at = Date.now();
        const temperature = 20 + number / 1000;
        sent.set(at, temperature);
        const body = JSON.stringify({
          machine: { temperature, pressure: 1.5 },
          ambient: { temperature: 21, humidity: 25 },
          timeCreated: new Date(at).toISOString(),
        });
        await site.sender.sendOutputEvent(
          'temperatureOutput',
          telemetry(body, { sequenceNumber: String(number) }),
        );
        await pause(40);
      }
    })();
    await start();
    for (let kill = 0; kill < 2; kill++) {
      const done = site.hub.state().routes.completed;
      await eventually(() => site.hub.state().routes.completed > done + 3);
      await pause(randomInt(random, 400));
      await module!.end('SIGKILL');
      await start();
    }
    const done = site.hub.state().routes.completed;
    await eventually(() => site.hub.state().routes.completed > done + 10);
    isSending = false;
    await sending;
    await eventually(() => site.hub.waitingFor('gateway', 'holdfast') === 0);
    const missing = () =>
      [...sent].filter(([at, temperature]) => {
        const reading = streamOf('sensor')?.readings.get(at)?.get('machine.temperature');
        return reading?.value !== temperature || reading.others.length > 0;
      });
    await eventually(() => missing().length === 0, 20_000).catch(() => {});
    expect(missing(), `seed ${seed}`).toEqual([]);
    expect(sent.size).toBeGreaterThan(50);
    // Numbers and times continue across each death of the module: no hole is claimed where there was none.
    const { covered = [], misplaced } = streamOf('sensor')!;
    const [first, last] = [Math.min(...sent.keys()), Math.max(...sent.keys())];
    // The last message's own position is not claimed: another may share it, and be lost.
    expect(covers(covered, { start: first + 2, end: last }), `seed ${seed}`).toBe(true);
    expect(misplaced).toBe(0);
    expect(site.tap.undecodable).toEqual([]);
  });

  it('that cannot be read reach the cloud as they are, and hold up nothing', async () => {
    const at = Date.now();
    await site.sender.sendOutputEvent('adapter', telemetry('{"broken":'));
    await site.sender.sendOutputEvent(
      'adapter',
      telemetry(JSON.stringify([{ t: at, tag: 'level', v: 7, q: 'good' }])),
    );
    const found = await eventually(() => {
      const readings = [...(streamOf('adapter')?.readings.values() ?? [])];
      const level = readings.find((tags) => tags.get('level')?.value === 7);
      const refused = readings.find((tags) => tags.get('(refused)')?.value === '{"broken":');
      return level && refused;
    });
    expect(found).toBeTruthy();
    expect(site.hub.waitingFor('gateway', 'holdfast')).toBe(0);
  });
});
