// What a gateway gives for it: memory, processor time, the time until the first reading is safe, and bytes on its flash; beside bare
// Node, a script without durability, SQLite and Node-RED on the same jobs.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Observed, observe, type Program, start } from './footprint/contender.ts';
import { moduleProgram, timeToFirstReading } from './footprint/module.ts';
import type { NodeRedSiteSettings } from './footprint/node-red.child.ts';
import type { ScriptSettings } from './footprint/script.child.ts';
import type { SqliteSettings } from './footprint/sqlite.child.ts';
import type { Bench, BenchOptions, Figure, Report } from './harness/bench.ts';
import { makeDevice, removeDevices } from './harness/device.ts';
import { median, spread } from './harness/numbers.ts';
import { bundleModule, compile, imageSettings } from './relay/compiled.ts';
import { type HubBeside, startHubBeside } from './relay/hub-beside.ts';
import { buildC } from './sources/build-c.ts';
import { startModbusServer } from './sources/modbus.ts';
import { startOpcuaServer } from './sources/opcua.ts';

const child = (name: string) => new URL(`footprint/${name}.child.ts`, import.meta.url);
/** Where `npm install node-red node-red-contrib-modbus node-red-contrib-opcua` was run, if anywhere. */
const nodeRedFolder = process.env.HOLDFAST_NODE_RED;

/** 50 tags each second: a small site. And as many as one core of a small gateway should take. */
const small = { devices: 1, tagsEach: 50, type: 'float32' } as const;
const fast = { devices: 240, tagsEach: 104, type: 'uint16' } as const;
const steady = { devices: 20, tagsEach: 50, type: 'float32' } as const;
const commitIntervalMs = 200;

type Job = typeof small | typeof fast | typeof steady;

interface Site {
  readonly options: BenchOptions;
  readonly work: string;
  /** The module, as its image has it. */
  readonly main: URL;
  readonly compiled: (file: URL) => URL;
  readonly environment: Readonly<Record<string, string>>;
  readonly hub: HubBeside;
  readonly modbusPort: number;
  readonly endpoint: string;
  readonly opcuaNodes: readonly string[];
}

export const bench: Bench = {
  about: 'memory, processor time, start and flash wear of a whole site, beside what else people run',
  async run(options: BenchOptions): Promise<Report> {
    const work = mkdtempSync(join(options.folder, 'holdfast-bench-footprint-'));
    const stops: (() => unknown)[] = [];
    try {
      const server = buildC('modbus-server', work);
      if ('missing' in server) throw new Error(`no equipment to read: ${server.missing}`);
      options.say('building the module, as the image does');
      const main = await bundleModule(join(work, 'image'));
      const compiled = compile(join(work, 'others'), children.map(child));
      const hub = await startHubBeside();
      stops.push(() => hub.stop());
      const modbus = await startModbusServer(server.file);
      stops.push(modbus.stop);
      const shape = { tags: small.tagsEach, tickMs: 1000, historyNodes: 0, historyValues: 0 };
      const opcua = await startOpcuaServer({ folder: join(work, 'server'), ...shape });
      stops.push(() => opcua.child.kill('SIGKILL'));
      return await measure({
        ...{ options, work, main, compiled, environment: imageSettings().env, hub, modbusPort: modbus.port },
        endpoint: `opc.tcp://127.0.0.1:${opcua.port}`,
        opcuaNodes: Array.from({ length: small.tagsEach }, (_, n) => `ns=1;s=live.${n}`),
      });
    } finally {
      removeDevices();
      for (const stop of stops.reverse()) await stop();
      rmSync(work, { recursive: true, force: true });
    }
  },
};

const children = ['bare', 'script', 'sqlite', 'node-red'];

async function measure(site: Site): Promise<Report> {
  const { quick, say } = site.options;
  const starts = await measureStarts(site);
  const [warmupMs, measureMs] = quick ? [10_000, 15_000] : [60_000, 60_000];
  const modbus = new Map<string, Observed>();
  for (const program of [
    bare(site),
    script(site, small),
    await modbusModule(site, small),
    ...nodeRed(site, 'modbus'),
  ]) {
    say(`${program.name}, ${small.tagsEach} Modbus tags a second`);
    modbus.set(
      program.name,
      await observe(program, { warmupMs, measureMs, isIdle: program.name === 'bare Node' }),
    );
  }
  const opcua = new Map<string, Observed>();
  for (const program of [await opcuaModule(site), ...nodeRed(site, 'opcua')]) {
    say(`${program.name}, ${small.tagsEach} OPC UA tags a second`);
    opcua.set(program.name, await observe(program, { warmupMs, measureMs }));
  }
  const busy: Record<'Holdfast' | 'script', Observed[]> = { Holdfast: [], script: [] };
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const program of [script(site, fast), await modbusModule(site, fast)]) {
      say(`${program.name}, ${fast.devices * fast.tagsEach} readings/s, round ${round + 1}`);
      const seen = await observe(program, { warmupMs: 10_000, measureMs: quick ? 10_000 : 30_000 });
      busy[program.name as keyof typeof busy].push(seen);
    }
  }
  const wear = await measureWear(site);
  const growth = quick ? undefined : await measureGrowth(site);
  return report({ starts, modbus, opcua, busy, wear, growth });
}

async function measureStarts(site: Site) {
  const times = { cold: [] as number[], warm: [] as number[] };
  for (let round = 0; round < (site.options.quick ? 2 : 5); round++) {
    site.options.say(`start, round ${round + 1}`);
    const cache = compileCacheOf(site);
    rmSync(cache, { recursive: true, force: true });
    times.cold.push(await timeToFirstReading(await modbusModule(site, small)));
    times.warm.push(await timeToFirstReading(await modbusModule(site, small)));
  }
  return times;
}

const compileCacheOf = ({ work }: Site) => join(work, 'compile-cache');

/** Bytes that the device wrote for each reading, at 1,000 readings/s. */
async function measureWear(site: Site) {
  const { options, compiled, work } = site;
  const folderFor = { Holdfast: undefined, SQLite: undefined } as Record<string, number | undefined>;
  for (const name of Object.keys(folderFor)) {
    options.say(`${name}, bytes on the device`);
    const device = makeDevice(work, 1024);
    try {
      const settings: SqliteSettings = { folder: device.folder, ...steady, commitIntervalMs };
      const program: Program =
        name === 'Holdfast'
          ? await modbusModule(site, steady, join(device.folder, 'data'))
          : {
              name,
              args: [fileURLToPath(compiled(child('sqlite'))), JSON.stringify(settings)],
              env: site.environment,
            };
      const started = start(program);
      try {
        await started.spoken;
        await wait(options.quick ? 5000 : 20_000);
        const count = async () => (await program.readings?.(started)) ?? Number(started.said()?.readings);
        const [bytes, readings] = [device.writtenBytes(started.pid), await count()];
        await wait(options.quick ? 20_000 : 120_000);
        folderFor[name] = (device.writtenBytes(started.pid) - bytes) / ((await count()) - readings);
      } finally {
        await started.stop();
      }
    } finally {
      device.remove();
    }
  }
  return folderFor;
}

async function measureGrowth(site: Site): Promise<number> {
  site.options.say('the small site for 20 minutes');
  const { growthMBPerHour } = await observe(await modbusModule(site, small), {
    warmupMs: 120_000,
    measureMs: 1_200_000,
  });
  return growthMBPerHour;
}

function modbusModule(site: Site, { devices, tagsEach, type }: Job, dataFolder?: string): Promise<Program> {
  const width = type === 'float32' ? 2 : 1;
  const tags = Array.from({ length: tagsEach }, (_, n) => ({ name: `tag-${n}`, address: n * width, type }));
  const common = { type: 'modbus-tcp', host: '127.0.0.1', port: site.modbusPort, pollMs: 1000, tags };
  const sources = Array.from({ length: devices }, (_, n) => ({
    name: `device-${n + 1}`,
    unit: n + 1,
    ...common,
  }));
  return ours(site, sources, dataFolder);
}

function opcuaModule(site: Site): Promise<Program> {
  const tags = site.opcuaNodes.map((node, n) => ({ name: `tag-${n}`, node }));
  return ours(site, [
    { name: 'server', type: 'opcua', endpoint: site.endpoint, security: { mode: 'None' }, tags },
  ]);
}

function ours(site: Site, sources: readonly object[], dataFolder?: string): Promise<Program> {
  const { work, main, environment, hub } = site;
  return moduleProgram({
    ...{ file: main, folder: join(work, 'gateway'), environment, hub, sources },
    compileCache: compileCacheOf(site),
    ...(dataFolder !== undefined && { dataFolder }),
  });
}

function bare({ compiled, environment }: Site): Program {
  return { name: 'bare Node', args: [fileURLToPath(compiled(child('bare')))], env: environment };
}

function script({ compiled, environment, hub, modbusPort }: Site, job: Job): Program {
  const { connectionString, caFile } = hub;
  const settings: ScriptSettings = { port: modbusPort, ...job, connectionString, caFile };
  const args = [fileURLToPath(compiled(child('script'))), JSON.stringify(settings)];
  return { name: 'script', args, env: environment };
}

function nodeRed(
  { compiled, modbusPort, endpoint, opcuaNodes, work }: Site,
  kind: 'modbus' | 'opcua',
): readonly Program[] {
  if (nodeRedFolder === undefined) return [];
  const { devices, tagsEach } = small;
  const job =
    kind === 'modbus'
      ? { modbusPort, devices, registers: 2 * tagsEach, tagsEach }
      : { endpoint, nodes: opcuaNodes };
  const settings: NodeRedSiteSettings = { folder: nodeRedFolder, job };
  // Its OPC UA nodes keep certificates there.
  mkdirSync(join(work, 'node-red'), { recursive: true });
  const env = { NODE_ENV: 'production', XDG_CONFIG_HOME: join(work, 'node-red') };
  return [
    { name: 'Node-RED', args: [fileURLToPath(compiled(child('node-red'))), JSON.stringify(settings)], env },
  ];
}

interface Measured {
  readonly starts: { readonly cold: readonly number[]; readonly warm: readonly number[] };
  readonly modbus: ReadonlyMap<string, Observed>;
  readonly opcua: ReadonlyMap<string, Observed>;
  readonly busy: Readonly<Record<'Holdfast' | 'script', readonly Observed[]>>;
  readonly wear: Readonly<Record<string, number | undefined>>;
  readonly growth: number | undefined;
}

function report({ starts, modbus, opcua, busy, wear, growth }: Measured): Report {
  const most = (value: number) => ({ at: 'most', value }) as const;
  const micros = (of: keyof typeof busy) =>
    median(busy[of].map(({ cpuMicrosPerReading }) => cpuMicrosPerReading));
  const ratio = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined ? undefined : a / b;
  const figures: readonly Figure[] = [
    {
      key: 'firstReadingMs',
      what: 'from the start to the first reading on the disk, ms',
      value: median(starts.warm),
      aim: most(900),
    },
    {
      key: 'firstReadingColdMs',
      what: 'the same, with nothing compiled before, ms',
      value: median(starts.cold),
      aim: most(1500),
    },
    {
      key: 'modbusSiteMB',
      what: 'resident memory, 50 Modbus tags a second, MB',
      value: modbus.get('Holdfast')?.residentMB,
      aim: most(100),
    },
    {
      key: 'opcuaSiteMB',
      what: 'resident memory, 50 OPC UA tags a second, MB',
      value: opcua.get('Holdfast')?.residentMB,
      aim: most(140),
    },
    {
      key: 'idleCpuPercent',
      what: 'of one core, 50 Modbus tags a second',
      value: modbus.get('Holdfast')?.cpuPercent,
      aim: most(0.7),
    },
    {
      key: 'cpuVsScript',
      what: `processor time a reading at ${fast.devices * fast.tagsEach} readings/s, times the script's`,
      value: micros('Holdfast') / micros('script'),
      aim: most(1.2),
    },
    {
      key: 'flashVsSqlite',
      what: "bytes on the device for a reading, times SQLite's",
      value: ratio(wear.Holdfast, wear.SQLite),
      aim: most(0.25),
    },
    {
      key: 'growthMBPerHour',
      what: 'growth of resident memory over 20 minutes, MB an hour',
      value: growth,
      aim: most(2),
    },
    {
      key: 'nodeRedMB',
      what: 'resident memory of Node-RED with 50 Modbus tags, MB',
      value: modbus.get('Node-RED')?.residentMB,
    },
    {
      key: 'nodeRedOpcuaMB',
      what: 'resident memory of Node-RED with 50 OPC UA tags, MB',
      value: opcua.get('Node-RED')?.residentMB,
    },
  ];
  const rows = (seen: ReadonlyMap<string, Observed>) =>
    [...seen].map(([program, { residentMB, cpuPercent }]) => ({
      program,
      'resident MB': residentMB,
      'CPU %': cpuPercent,
    }));
  return {
    figures,
    tables: [
      { title: 'A small Modbus site', rows: rows(modbus) },
      { title: 'A small OPC UA site', rows: rows(opcua) },
      {
        title: `${fast.devices} devices, ${fast.devices * fast.tagsEach} readings/s`,
        rows: Object.entries(busy).map(([program, runs]) => ({
          program,
          'readings/s': median(runs.map(({ readingsPerSecond }) => readingsPerSecond)),
          'CPU us a reading': spread(runs.map(({ cpuMicrosPerReading }) => cpuMicrosPerReading)),
          'resident MB': spread(runs.map(({ residentMB }) => residentMB)),
        })),
      },
      { title: '1,000 readings/s, device bytes a reading', rows: [wear] },
      {
        title: 'From the start to the first reading on the disk, ms',
        rows: [{ warm: spread(starts.warm), cold: spread(starts.cold) }],
      },
    ],
    notes: notes(),
  };
}

const notes = () => [
  `The module as its image has it (scripts/bundle.mjs), run with ${imageSettings().text}. The script and bare Node have the same settings, Node-RED Node's own.`,
  'Equipment and hub are processes of their own on the same machine; the link is AMQP over TLS on loopback.',
  'The script polls with modbus-serial, keeps what waits in memory, and sends JSON with azure-iot-device. It loses what a cut, a restart or an error of the hub takes.',
  'Node-RED reads and counts: it keeps nothing and sends nothing. SQLite commits every 200 ms, with its write-ahead log synced.',
  ...(nodeRedFolder === undefined
    ? [
        'Node-RED was not measured: `npm install node-red node-red-contrib-modbus node-red-contrib-opcua` in a folder of its own, and name that in HOLDFAST_NODE_RED.',
      ]
    : []),
];
