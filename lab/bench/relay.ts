// From readings to acknowledgements: sources through windows, spool and AMQP over TLS to a hub in a process of its
// own. How much goes through, what it costs, what it holds in memory, and what IoT Hub would meter.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, BenchOptions, Figure, Report } from './harness/bench.ts';
import { runChild } from './harness/child.ts';
import { makeDevice, removeDevices } from './harness/device.ts';
import { median, spread } from './harness/numbers.ts';
import { compile, imageSettings } from './relay/compiled.ts';
import { memoryOf, startHubBeside } from './relay/hub-beside.ts';
import type { RelaySettings } from './relay/relay.child.ts';

const child = new URL('relay/relay.child.ts', import.meta.url);
const streams = 10;

interface Run {
  readonly readingsPerSecond: number;
  readonly cpuMicrosPerReading: number;
  /** Of the hub, over the same time. */
  readonly hubMicrosPerReading: number;
  readonly unitsPerMillion: number;
  readonly bytesPerReading: number;
  readonly readingsPerMessage: number;
  /** The highest seen while it was measured. */
  readonly residentMB: number;
  /** The highest ever, starting included. */
  readonly peakMB: number;
}

interface Form {
  readonly name: string;
  readonly file: URL;
  readonly env: Readonly<Record<string, string>>;
}

interface Load {
  readonly name: string;
  readonly streams: number;
  readonly pollMs: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}

export const bench: Bench = {
  about: 'readings through windows, spool and AMQP over TLS to acknowledged',
  async run(options: BenchOptions): Promise<Report> {
    const { quick, folder, say } = options;
    const work = mkdtempSync(join(folder, 'holdfast-bench-relay-'));
    try {
      say('compiling, as the image does');
      const compiled = compile(work, [child]);
      const settings = imageSettings();
      const image: Form = { name: 'compiled, as in the image', file: compiled(child), env: settings.env };
      const plain: Form = { name: "from TypeScript, Node's own memory settings", file: child, env: {} };
      const [warmupMs, measureMs] = quick ? [3000, 4000] : [6000, 15_000];
      const full: Load = { name: 'as fast as it goes', streams, pollMs: 0, warmupMs, measureMs };
      const fast = await repeat(quick ? 2 : 5, (n) => {
        say(`run ${n + 1}, as fast as it goes`);
        return runOnce(image, full, folder);
      });
      say('the same from TypeScript');
      const beside = await repeat(quick ? 1 : 3, () => runOnce(plain, full, folder));
      const paced = await runPaced(options, image);
      return {
        figures: figuresOf(fast),
        tables: [
          { title: 'As fast as it goes', rows: [rowOf(image.name, fast), rowOf(plain.name, beside)] },
          { title: 'At a steady pace, compiled', rows: paced },
        ],
        notes: notesOf(settings.text),
      };
    } finally {
      removeDevices();
      rmSync(work, { recursive: true, force: true });
    }
  },
};

/** Small sites, where windows close by age: what a unit holds depends on how much comes in ten seconds. */
async function runPaced({ quick, folder, say }: BenchOptions, form: Form) {
  const paces = [
    { name: '1 stream, a poll each second', streams: 1, pollMs: 1000 },
    { name: '1 stream, 10 polls a second', streams: 1, pollMs: 100 },
    { name: '10 streams, 200 polls a second each', streams: 10, pollMs: 5 },
  ];
  const rows = [];
  for (const pace of paces.slice(quick ? 2 : 0)) {
    say(pace.name);
    const isSlow = pace.pollMs > 5;
    const load = {
      ...pace,
      warmupMs: isSlow ? 15_000 : 4000,
      measureMs: isSlow ? 30_000 : quick ? 4000 : 15_000,
    };
    rows.push(rowOf(pace.name, [await runOnce(form, load, folder)]));
  }
  return rows;
}

async function runOnce(form: Form, load: Load, folder: string): Promise<Run> {
  const device = makeDevice(folder, 2048);
  const hub = await startHubBeside();
  let sampling: NodeJS.Timeout | undefined;
  let residentMB = 0;
  let peakMB = 0;
  let hubMicros = 0;
  try {
    const { connectionString, caFile } = hub;
    const settings: RelaySettings = { folder: device.folder, connectionString, caFile, ...load };
    const result = await runChild(form.file, settings, {
      env: form.env,
      onMark({ mark }, { pid }) {
        if (mark === 'start') {
          hubMicros = hub.cpuMicros();
          sampling = setInterval(() => {
            residentMB = Math.max(residentMB, memoryOf(pid!).residentMB);
          }, 250);
          return;
        }
        clearInterval(sampling);
        hubMicros = hub.cpuMicros() - hubMicros;
        peakMB = memoryOf(pid!).peakMB;
      },
    });
    const hubMicrosPerReading = hubMicros / result.readings!;
    return { ...(result as unknown as Run), hubMicrosPerReading, residentMB, peakMB };
  } finally {
    clearInterval(sampling);
    await hub.stop();
    device.remove();
  }
}

function figuresOf(runs: readonly Run[]): readonly Figure[] {
  const of = (pick: (run: Run) => number) => median(runs.map(pick));
  return [
    {
      key: 'readingsPerSecond',
      what: 'readings/s acknowledged by the hub',
      value: of((run) => run.readingsPerSecond),
      aim: { at: 'least', value: 100_000 },
    },
    {
      key: 'cpuMicrosPerReading',
      what: 'CPU per reading, us, the source included',
      value: of((run) => run.cpuMicrosPerReading),
    },
    {
      key: 'residentMB',
      what: 'resident memory of the process, the highest while measured, MB',
      value: of((run) => run.residentMB),
      aim: { at: 'most', value: 160 },
    },
    {
      key: 'unitsPerMillion',
      what: 'metered units of 4 KB per million readings',
      value: of((run) => run.unitsPerMillion),
      aim: { at: 'most', value: 1000 },
    },
  ];
}

function rowOf(what: string, runs: readonly Run[]) {
  const range = (pick: (run: Run) => number) => spread(runs.map(pick));
  return {
    '': what,
    'readings/s': range((run) => run.readingsPerSecond),
    'CPU us': range((run) => run.cpuMicrosPerReading),
    "hub's CPU us": range((run) => run.hubMicrosPerReading),
    'resident MB': range((run) => run.residentMB),
    'peak MB': range((run) => run.peakMB),
    'units per million': range((run) => run.unitsPerMillion),
    'bytes a reading': range((run) => run.bytesPerReading),
    'readings a message': range((run) => run.readingsPerMessage),
    runs: runs.length,
  };
}

const notesOf = (memorySettings: string) => [
  'Beside the hub, which is a process of its own on the same machine: AMQP over TLS on loopback.',
  'Sources are supervised, stamped by the site clock, and wait while 64 messages or 24 MB wait; 10 streams of 50 tags.',
  `Compiled by tsc with the settings of the image, and run with its ${memorySettings}. The process has loaded all that the module loads.`,
  'Figures are medians over the compiled runs; CPU is of the whole process, all threads.',
  'A unit is counted as IoT Hub counts: body, names and values of properties, values of system properties; begun units are whole.',
  'At a slow pace a window closes by its age of 10 s, so a message holds less and begun units weigh more.',
];

async function repeat<T>(times: number, work: (n: number) => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  for (let n = 0; n < times; n++) results.push(await work(n));
  return results;
}
