// Modbus TCP: the product's source, the bare modbus-serial loop and libmodbus in C take turns on one server, which does
// less than any of them; then many devices at once.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { BenchOptions, Report } from '../harness/bench.ts';
import { runChild } from '../harness/child.ts';
import { median, spread } from '../harness/numbers.ts';
import { raisePriority } from '../harness/priority.ts';
import { cpuMicrosOf } from '../harness/usage.ts';
import { buildC } from './build-c.ts';
import type { LoopSettings } from './loop.ts';

interface Looped {
  readonly tagsPerSecond: number;
  readonly cpuMicrosPerTag: number;
  readonly residentMB: number;
  /** Part of a core that the server took meanwhile. */
  readonly serverShare: number;
}

const contenders = ['holdfast', 'modbus-serial', 'libmodbus'] as const;
type Contender = (typeof contenders)[number];

const fleetOf = { devices: 500, tagsEach: 20, pollMs: 1000 };

export async function measureModbus({ quick, folder, say }: BenchOptions): Promise<Report> {
  const server = buildC('modbus-server', folder);
  const libmodbus = buildC('libmodbus-client', folder, ['libmodbus']);
  if ('missing' in server) return nothing(`Modbus was not measured: ${server.missing}`);
  const { port, pid, isRaised, stop } = await startModbusServer(server.file);
  try {
    const rounds = quick ? 2 : 5;
    const settings: LoopSettings = { port, warmupMs: quick ? 300 : 1000, measureMs: quick ? 1000 : 2000 };
    const runs: Record<Contender, Looped[]> = { holdfast: [], 'modbus-serial': [], libmodbus: [] };
    for (let round = 0; round < rounds; round++) {
      say(`Modbus, round ${round + 1} of ${rounds}: one request after the other`);
      // Each follows each equally often: what else runs on the machine then favours none.
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(round + turn) % contenders.length]!;
        if (contender === 'libmodbus' && 'missing' in libmodbus) continue;
        const file = 'file' in libmodbus ? libmodbus.file : '';
        const cpuBefore = cpuMicrosOf(pid);
        const startedAt = performance.now();
        const found = await runContender(contender, settings, file);
        const serverShare = (cpuMicrosOf(pid) - cpuBefore) / 1000 / (performance.now() - startedAt);
        runs[contender].push({ ...found, serverShare });
      }
    }
    const measureMs = quick ? 6000 : 60_000;
    say(`${fleetOf.devices} devices for ${measureMs / 1000} s`);
    const fleet = await runChild(
      new URL('./modbus-fleet.child.ts', import.meta.url),
      { port, ...fleetOf, warmupMs: quick ? 2000 : 5000, measureMs },
      // As the image has it.
      { nodeArgs: ['--max-semi-space-size=4'], env: { MALLOC_ARENA_MAX: '2' } },
    );
    const notes = [
      isRaised
        ? 'Server and clients of Modbus ran at a raised priority: what else the machine did stood back.'
        : 'Server and clients of Modbus had no raised priority (it takes root): what else the machine did is in the figures.',
      ...('missing' in libmodbus ? [`libmodbus was not measured: ${libmodbus.missing}`] : []),
    ];
    return report(runs, fleet, notes);
  } finally {
    stop();
  }
}

function nothing(note: string): Report {
  const missing = (key: string, what: string, value: number) =>
    ({ key, what, value: undefined, aim: { at: 'least', value } }) as const;
  return {
    figures: [
      missing('modbusVsBareClient', "Modbus tags/s, times the bare modbus-serial loop's", 0.85),
      missing('modbusVsLibmodbus', "Modbus tags/s, times libmodbus's in C", 0.5),
    ],
    tables: [],
    notes: [note],
  };
}

export async function startModbusServer(file: string) {
  const child = spawn(file, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { port } = JSON.parse(line) as { port: number };
  const isRaised = raisePriority(child.pid!);
  return { port, pid: child.pid!, isRaised, stop: () => child.stdin.end() };
}

async function runContender(
  contender: Contender,
  settings: LoopSettings,
  libmodbusFile: string,
): Promise<Omit<Looped, 'serverShare'>> {
  if (contender === 'libmodbus') {
    const { port, measureMs } = settings;
    const running = promisify(execFile)(libmodbusFile, [String(port), String(measureMs)]);
    if (running.child.pid !== undefined) raisePriority(running.child.pid);
    const { stdout } = await running;
    return JSON.parse(stdout) as Omit<Looped, 'serverShare'>;
  }
  const file = contender === 'holdfast' ? './modbus-source.child.ts' : './bare-modbus.child.ts';
  return (await runChild(new URL(file, import.meta.url), settings)) as unknown as Looped;
}

function report(
  runs: Readonly<Record<Contender, readonly Looped[]>>,
  fleet: Readonly<Record<string, number>>,
  notes: readonly string[],
): Report {
  const rateOf = (contender: Contender) => median(runs[contender].map(({ tagsPerSecond }) => tagsPerSecond));
  // Round by round, so that a round in which the machine was busy counts once for both.
  const ratioTo = (peer: Contender) =>
    runs[peer].length === 0
      ? undefined
      : median(
          runs.holdfast.map(({ tagsPerSecond }, round) => tagsPerSecond / runs[peer][round]!.tagsPerSecond),
        );
  const rows = contenders
    .filter((contender) => runs[contender].length > 0)
    .map((contender) => {
      const all = runs[contender];
      return {
        '': contender,
        'tags/s': rateOf(contender),
        from: spread(all.map(({ tagsPerSecond }) => tagsPerSecond)),
        'CPU us per 1,000 tags': median(all.map(({ cpuMicrosPerTag }) => cpuMicrosPerTag * 1000)),
        'resident MB': median(all.map(({ residentMB }) => residentMB)),
        "server's share of a core": median(all.map(({ serverShare }) => serverShare)),
      };
    });
  const cpuOf = (contender: Contender) =>
    median(runs[contender].map(({ cpuMicrosPerTag }) => cpuMicrosPerTag));
  return {
    figures: [
      {
        key: 'modbusVsBareClient',
        what: "Modbus tags/s, times the bare modbus-serial loop's",
        value: ratioTo('modbus-serial'),
        aim: { at: 'least', value: 0.85 },
      },
      {
        key: 'modbusVsLibmodbus',
        what: "Modbus tags/s, times libmodbus's in C",
        value: ratioTo('libmodbus'),
        aim: { at: 'least', value: 0.5 },
      },
      {
        key: 'modbusCpuVsBareClient',
        what: "Modbus CPU a tag, times the bare modbus-serial loop's",
        value: cpuOf('holdfast') / cpuOf('modbus-serial'),
      },
      {
        key: 'fleetJitterP99Ms',
        what: `time between polls of ${fleetOf.devices} devices, off by at most (p99), ms`,
        value: fleet.jitterP99Ms,
      },
      {
        key: 'fleetResidentMB',
        what: `resident memory with ${fleetOf.devices} devices, MB`,
        value: fleet.residentMB,
      },
    ],
    tables: [
      { title: '10,000 registers as tags, one connection, one request of 125 after the other', rows },
      {
        title: `${fleetOf.devices * fleetOf.tagsEach} tags in ${fleetOf.devices} devices, each polled every ${fleetOf.pollMs} ms`,
        rows: [
          {
            'tags/s': fleet.tagsPerSecond,
            'share of a core': fleet.cpuShare,
            'CPU us per 1,000 tags': (fleet.cpuMicrosPerTag ?? 0) * 1000,
            'jitter p50 ms': fleet.jitterP50Ms,
            'p99 ms': fleet.jitterP99Ms,
            'most ms': fleet.jitterMaxMs,
            'breaks in observation': fleet.breaks,
            'resident MB': fleet.residentMB,
          },
        ],
      },
    ],
    notes: [
      'All three read the same registers of one server in turns; ratios are of the same round, then the median. The server is C, one thread, and does nothing but answer.',
      'Holdfast makes a reading of each register: an object with index, tag, value and quality, given to a sink that counts. The bare loops put a number into an array.',
      "The 500 devices are read with the image's memory settings, the loops with Node's own.",
      ...notes,
    ],
  };
}
