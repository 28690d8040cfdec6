// What chaos adds to a soak: the gateway's data lies on a disk that loses what was not synced when the power goes, that fills up,
// hangs or becomes read-only; the ledger on a PostgreSQL server that dies. Needs root and /dev/fuse.
import { setTimeout as wait } from 'node:timers/promises';
import { startPostgres, type TestPostgres } from '../../cloud-lite/testing/postgres.ts';
import { randomInt } from '../../kernel/random.ts';
import { FuseDisk } from '../disk/fuse-disk.ts';
import { type Fault, lasting, pause } from './faults.ts';

export interface ChaosParts {
  readonly dataFolder: string;
  readonly databaseUrl: string;
  readonly faults: readonly Fault[];
  stop(): Promise<void>;
}

export async function startChaosParts(): Promise<ChaosParts> {
  const disk = await FuseDisk.make();
  try {
    const postgres = await startPostgres({ durable: true });
    return {
      dataFolder: `${disk.folder}/data`,
      databaseUrl: await postgres.createDatabase(),
      faults: [...diskFaults(disk), databaseDies(postgres)],
      async stop() {
        disk.hang(false);
        await Promise.allSettled([postgres.stop(), disk.remove()]);
      },
    };
  } catch (error) {
    await disk.remove();
    throw error;
  }
}

/** Operations of the disk until the power goes; and how long that may take. */
const powerGoesWithin = 400;
const powerGoesWithinMs = 5000;

function diskFaults(disk: FuseDisk): readonly Fault[] {
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
