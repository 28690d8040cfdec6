// The edge module's image through the faults of the field: the hub away, messages acknowledged and lost, equipment unplugged, module and
// detector killed. All that the equipment has must be in the cloud in the end.
import { chmodSync, chownSync, copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type DetectorProcess, startDetector } from '../../cloud-lite/testing/detector-process.ts';
import { accountStamped } from '../../lab/demo/account.ts';
import { type CloudTap, startCloudTap } from '../../lab/demo/cloud-tap.ts';
import { type Hub, startHub } from '../../lab/hub/hub.ts';
import { type Plant, startPlant } from '../../lab/plant/plant.ts';
import { plantSources } from '../../lab/plant/site.ts';
import { type ContainedProcess, startConfined } from './contained-process.ts';
import { limitMemory } from './memory-limit.ts';
import type { Workshop } from './workshop.ts';

export interface Opened {
  readonly container: string;
  readonly config: { readonly Entrypoint: string[]; readonly Cmd?: string[] };
  /** Absent: as much as there is. */
  readonly memoryBytes?: number;
}

/** Emulated, on a busy machine. */
const slow = { timeout: 180_000, interval: 500 };

/** @returns the most memory that it held, in bytes; undefined where nothing limits it */
export async function expectHeals(workshop: Workshop, opened: Opened): Promise<number | undefined> {
  const plant = await startPlant({ seed: 18, scanMs: 400, historyS: 1200 });
  const hub = await startHub({ strictMessageIds: true });
  const tap = startCloudTap({ connectionString: hub.eventHubConnectionString });
  const memory = opened.memoryBytes === undefined ? undefined : limitMemory(opened.memoryBytes);
  const data = mkdtempSync(join(workshop.folder, 'site-'));
  chownSync(data, 1000, 1000);
  copyFileSync(hub.caFile, join(data, 'hub-ca.pem'));
  chmodSync(join(data, 'hub-ca.pem'), 0o644);
  writeFileSync(join(data, 'holdfast.yaml'), JSON.stringify(siteOf(plant)));
  const start = () =>
    startConfined(workshop, {
      container: opened.container,
      command: [...opened.config.Entrypoint, ...opened.config.Cmd!, '--ready-line'],
      env: {
        HOLDFAST_CONNECTION_STRING: hub.deviceConnectionString('gateway', 'holdfast'),
        NODE_EXTRA_CA_CERTS: '/data/hub-ca.pem',
      },
      ...{ data, memory },
    });
  const startDetecting = () => startDetector(detectorEnvironment(hub, `${data}-ledger`));
  let module: ContainedProcess | undefined;
  let detector: DetectorProcess | undefined;
  const unsent = async () => {
    const { spool } = (await (await fetch(`http://127.0.0.1:${module!.ready.statusPort}/status`)).json()) as {
      spool: { lanes: Record<string, { messages: number }> };
    };
    return Object.values(spool.lanes).reduce((sum, { messages }) => sum + messages, 0);
  };
  const arrived = () => tap.copy.streams().get('press')?.covered.at(-1)?.end ?? 0;
  const killed = async () => {
    await module!.kill();
    module = undefined;
    module = await start();
  };
  try {
    [module, detector] = await Promise.all([start(), startDetecting()]);
    await expect.poll(arrived, slow).toBeGreaterThan(0);
    await hub.setFaults({ ackAndLose: { next: 3 } });
    await plant.setFaults({ unreachable: true });
    await detector.kill();
    detector = await startDetecting();
    await plant.setFaults({ unreachable: false });
    // New connections; the kill ends the one that there is.
    await hub.setFaults({ refuse: ['device'] });
    await killed();
    await expect.poll(unsent, slow).toBeGreaterThan(5);
    await killed();
    await expect.poll(unsent, slow).toBeGreaterThan(10);
    const spooledAt = Date.now();
    await hub.clearFaults();
    await expect.poll(arrived, slow).toBeGreaterThan(spooledAt);
    await killed();
    const healedAt = Date.now();
    await expect.poll(arrived, slow).toBeGreaterThan(healedAt);
    const notWhole = async () =>
      (await detector!.streams()).filter(
        ({ lengths, last }) => lengths.missing > 0 || (last ?? 0) < healedAt,
      );
    await expect.poll(notWhole, slow).toEqual([]);
    await plant.stop();
    await expect.poll(unsent, slow).toBe(0);
    const ended = await module!.end();
    module = undefined;
    expect(ended).toEqual({ code: 0, signal: null });
    expectWhole(plant, tap, healedAt);
    expect(tap.undecodable).toEqual([]);
    expect(memory?.kills() ?? 0).toBe(0);
    return memory?.peakBytes();
  } catch (error) {
    throw new Error(`${error}\nthe module's log:\n${module?.log().slice(-8000)}`, { cause: error });
  } finally {
    await module?.kill();
    await detector?.kill();
    await tap.close();
    await hub.stop();
    await plant.stop();
    await memory?.remove();
  }
}

const siteOf = (plant: Plant) => ({
  ...{ dataFolder: '/data/holdfast', statusPort: 0, windows: { ageMs: 1000 }, restarts: { free: 1000 } },
  sources: plantSources(plant.info, { pollMs: 400, timeoutMs: 5000 }),
});

const detectorEnvironment = (hub: Hub, folder: string) => ({
  HOLDFAST_EVENTHUB_CONNECTION: hub.eventHubConnectionString,
  HOLDFAST_HUB_CONNECTION: hub.serviceConnectionString,
  HOLDFAST_DATA_FOLDER: folder,
  HOLDFAST_DETECTION_DELAY_MS: '5000',
  HOLDFAST_SWEEP_INTERVAL_MS: '1000',
  NODE_EXTRA_CA_CERTS: hub.caFile,
});

/** All from the beginning up to `until` has arrived, and nothing else. */
function expectWhole(plant: Plant, tap: CloudTap, until: number): void {
  for (const [stream, unit] of [
    ['press', 1],
    ['boiler', 2],
  ] as const) {
    const truth = [...plant.truth(unit)].map(({ timestamp, values }) => ({
      ...{ at: timestamp, values: { ...values } },
    }));
    const copy = tap.copy.streams().get(stream);
    const account = accountStamped({ ...{ stream, truth, copy }, logReachesBackTo: 0 });
    expect(account.delivered).toBeGreaterThan(50);
    expect(account).toMatchObject({ invented: 0, changed: 0, problems: [] });
    // Behind it the plant was stopped before all could be asked for.
    const broken = account.missingRanges.filter(({ window }) => window.start < until);
    expect(broken).toEqual([]);
  }
}
