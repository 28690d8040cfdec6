// What chaos adds to a soak: the gateway's data lies on a disk that loses what was not synced when the power goes, that fills up,
// hangs or becomes read-only, and of which copies are taken while it is written; the ledger on a PostgreSQL server that dies; the
// detector's wall clock is set; and the way to the hub leads through network namespaces. Needs root and /dev/fuse; without
// namespaces it goes on without them, and says so.
import { execFile } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startPostgres, type TestPostgres } from '../../cloud-lite/testing/postgres.ts';
import { randomInt } from '../../kernel/random.ts';
import { FuseDisk } from '../disk/fuse-disk.ts';
import { whyNoNamespaces } from '../outages/site.ts';
import { type Fault, lasting, pause } from './faults.ts';
import { type CabledWay, layWay } from './namespaces.ts';

export interface ChaosParts {
  readonly dataFolder: string;
  readonly databaseUrl: string;
  readonly detectorEnv: Readonly<Record<string, string>>;
  readonly wayToHub?: CabledWay['to'];
  /** What is missing here, for people. */
  readonly lacks: readonly string[];
  readonly faults: readonly Fault[];
  stop(): Promise<void>;
}

export async function startChaosParts(): Promise<ChaosParts> {
  const disk = await FuseDisk.make();
  const home = mkdtempSync(join(tmpdir(), 'holdfast-chaos-'));
  const closers: (() => unknown)[] = [
    () => rmSync(home, { recursive: true, force: true }),
    () => disk.remove(),
  ];
  const stop = async () => {
    disk.hang(false);
    await Promise.allSettled(closers.toReversed().map((close) => close()));
  };
  try {
    const postgres = await startPostgres({ durable: true });
    closers.push(() => postgres.stop());
    const whyNot = await whyNoNamespaces();
    const way = whyNot === undefined ? await layWay() : undefined;
    if (way !== undefined) closers.push(() => way.remove());
    const clockFile = join(home, 'clock');
    setClock(clockFile, 0);
    return {
      dataFolder: `${disk.folder}/data`,
      databaseUrl: await postgres.createDatabase(),
      detectorEnv: {
        HOLDFAST_TEST_CLOCK: clockFile,
        NODE_OPTIONS: `--import ${new URL('../../test/support/stepped-clock.mjs', import.meta.url).href}`,
      },
      ...(way && { wayToHub: (port) => way.to(port) }),
      lacks: whyNot === undefined ? [] : [whyNot],
      faults: [
        ...diskFaults(disk, home),
        databaseDies(postgres),
        clockIsSet(clockFile),
        ...(way?.faults ?? []),
      ],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function setClock(file: string, aheadMs: number): void {
  appendFileSync(file, `${Date.now()} ${aheadMs}\n`);
}

/** Ledger and requests go by the database's clock: that of the machine changes nothing. */
const clockIsSet = (file: string): Fault => ({
  name: "the detector's wall clock is set",
  async run(_, random, signal) {
    setClock(file, randomInt(random, 7_200_000) - 3_600_000);
    await pause(lasting(random), signal);
    setClock(file, 0);
  },
});

/** Operations of the disk until the power goes; and how long that may take. */
const powerGoesWithin = 400;
const powerGoesWithinMs = 5000;

function diskFaults(disk: FuseDisk, home: string): readonly Fault[] {
  // Two of them at once would undo each other.
  let last: Promise<unknown> = Promise.resolve();
  const alone =
    (run: Fault['run']): Fault['run'] =>
    (world, random, signal) => {
      const mine = last.then(() => (signal.aborted ? undefined : run(world, random, signal)));
      last = mine.catch(() => {});
      return mine;
    };
  const during = (begin: () => unknown, end: () => unknown): Fault['run'] =>
    alone(async (_, random, signal) => {
      await begin();
      try {
        await pause(lasting(random), signal);
      } finally {
        await end();
      }
    });
  return [
    {
      name: 'a copy of the disk, taken while it is written',
      run: alone(async (_, random) => {
        const copy = join(home, 'image');
        await disk.image(randomInt(random, 2 ** 31), copy);
        await openImage(join(copy, 'data', 'spool'));
        rmSync(copy, { recursive: true, force: true });
      }),
    },
    {
      name: 'power cut of the gateway',
      run: alone(async ({ runtime }, random) => {
        const { cut } = await disk.cutAt(1 + randomInt(random, powerGoesWithin));
        await Promise.race([cut, wait(powerGoesWithinMs)]);
        await disk.cutNow();
        const seed = randomInt(random, 2 ** 31);
        const again = runtime.killAndRestart(() => disk.powerBack(seed));
        // What was killed amid a call ends once the call is answered.
        await disk.letGo();
        await again;
      }),
    },
    {
      name: 'disk full',
      run: during(
        () => disk.capacity(0),
        () => disk.capacity(undefined),
      ),
    },
    {
      name: 'others take all room of the disk',
      run: during(
        () => disk.taken(true),
        () => disk.taken(false),
      ),
    },
    {
      name: 'disk read-only',
      run: during(
        () => disk.readOnly(true),
        () => disk.readOnly(false),
      ),
    },
    {
      name: 'disk hangs',
      run: during(
        () => disk.hang(true),
        () => disk.hang(false),
      ),
    },
  ];
}

const databaseDies = (postgres: TestPostgres): Fault => {
  let last: Promise<unknown> = Promise.resolve();
  return {
    name: "the detector's database dies",
    run: () => {
      last = last.then(() => postgres.crash());
      return last as Promise<void>;
    },
  };
};

/** What a power cut leaves is no damage. @throws Error where a start would find any; the copy is kept then. */
async function openImage(folder: string): Promise<void> {
  const script = join(import.meta.dirname, 'image-child.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [script, folder], { timeout: 120_000 });
  const { damaged, repair } = JSON.parse(stdout) as { readonly damaged: number; readonly repair?: string };
  if (damaged > 0 || repair !== undefined)
    throw new Error(`the copy of the disk in ${folder} has ${damaged} damaged records: ${repair}`);
}
