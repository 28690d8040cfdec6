// OPC UA: values a second through our source, live and out of history, beside the bare node-opcua-client on the same
// server in the same run. Contenders take turns, so that what else the machine does falls on both.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BenchOptions, Report } from '../harness/bench.ts';
import { runChild } from '../harness/child.ts';
import { median, rounded, spread } from '../harness/numbers.ts';
import type { OpcuaClientSettings } from './opcua-client.child.ts';
import type { OpcuaServerSettings } from './opcua-server.child.ts';

const serverFile = new URL('opcua-server.child.ts', import.meta.url);
const clientFile = new URL('opcua-client.child.ts', import.meta.url);

type Result = Readonly<Record<string, number>>;
type Who = OpcuaClientSettings['who'];
type What = OpcuaClientSettings['what'];

/** Figures `opcuaVsBareClient`, `opcuaHistoryVsBareClient` and what they are made of. */
export async function measureOpcua({ quick, folder, say }: BenchOptions): Promise<Report> {
  const work = mkdtempSync(join(folder, 'holdfast-bench-opcua-'));
  const shape = { tags: 1000, tickMs: 50, historyNodes: 20, historyValues: quick ? 5000 : 20_000 };
  const rounds = quick ? 2 : 5;
  say('OPC UA: starting a server');
  const server = await startOpcuaServer({ folder: work, ...shape });
  try {
    const results: Record<What, Record<Who, Result[]>> = {
      live: { ours: [], bare: [] },
      history: { ours: [], bare: [] },
    };
    for (let round = 1; round <= rounds; round++) {
      for (const what of ['live', 'history'] as const) {
        say(`OPC UA ${what}, round ${round} of ${rounds}`);
        for (const who of round % 2 === 0 ? (['bare', 'ours'] as const) : (['ours', 'bare'] as const)) {
          const { tags, historyNodes } = shape;
          const [count, name] = what === 'live' ? [tags, 'live'] : [historyNodes, 'kept'];
          const settings: OpcuaClientSettings = {
            who,
            what,
            endpoint: `opc.tcp://127.0.0.1:${server.port}`,
            folder: join(work, 'gateway'),
            nodes: Array.from({ length: count }, (_, at) => `ns=1;s=${name}.${at}`),
            warmUpMs: quick ? 1000 : 2000,
            measureMs: quick ? 3000 : 8000,
            history: { start: server.historyStart, end: server.historyEnd },
          };
          results[what][who].push(await runChild(clientFile, settings, { env: { XDG_CONFIG_HOME: work } }));
        }
      }
    }
    return reportOf(results, shape);
  } finally {
    server.child.kill('SIGKILL');
    rmSync(work, { recursive: true, force: true });
  }
}

interface RunningServer {
  readonly child: ChildProcess;
  readonly port: number;
  readonly historyStart: number;
  readonly historyEnd: number;
}

/** node-opcua's own, in a process of its own; killed by whoever started it. */
export async function startOpcuaServer(settings: OpcuaServerSettings): Promise<RunningServer> {
  const child = spawn(process.execPath, [fileURLToPath(serverFile), JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('close', () => process.off('exit', kill));
  for await (const line of createInterface(child.stdout)) {
    if (!line.startsWith('{"mark":"ready"')) continue;
    const { port, historyStart, historyEnd } = JSON.parse(line);
    // Nobody reads on: what it still prints must not fill the pipe.
    child.stdout.resume();
    return { child, port, historyStart, historyEnd };
  }
  throw new Error('the OPC UA server did not start');
}

function reportOf(
  results: Record<What, Record<Who, Result[]>>,
  { tags, tickMs, historyNodes, historyValues }: Omit<OpcuaServerSettings, 'folder'>,
): Report {
  const ratio = (what: What, key: string, isLessBetter = false) => {
    const { ours, bare } = results[what];
    // Round by round: neighbours in time are compared.
    const all = ours.map((each, at) => each[key]! / bare[at]![key]!);
    return median(isLessBetter ? all.map((value) => 1 / value) : all);
  };
  const memoryOf = (what: What) => Math.max(...results[what].ours.map(({ memoryMB }) => memoryMB!));
  const row = (what: What, who: Who) => ({
    what:
      what === 'live'
        ? `${tags} monitored items`
        : `history of ${historyNodes} nodes, ${historyValues} values each`,
    who: who === 'ours' ? 'holdfast' : 'node-opcua-client',
    'values/s': spread(results[what][who].map(({ valuesPerSecond }) => valuesPerSecond!)),
    'CPU us/value': spread(results[what][who].map(({ cpuMicrosPerValue }) => cpuMicrosPerValue!)),
    'memory MB': rounded(Math.max(...results[what][who].map(({ memoryMB }) => memoryMB!))),
  });
  const least = { at: 'least', value: 0.8 } as const;
  return {
    figures: [
      {
        key: 'opcuaVsBareClient',
        what: 'OPC UA monitored values/s against the bare client',
        value: ratio('live', 'valuesPerSecond'),
        aim: least,
      },
      {
        key: 'opcuaPerCpuVsBareClient',
        what: 'OPC UA monitored values per processor second against the bare client',
        value: ratio('live', 'cpuMicrosPerValue', true),
        aim: least,
      },
      {
        key: 'opcuaHistoryVsBareClient',
        what: 'OPC UA history values/s against the bare client',
        value: ratio('history', 'valuesPerSecond'),
        aim: least,
      },
      {
        key: 'opcuaMemoryMB',
        what: 'anonymous memory with an OPC UA source of 1,000 tags, MB',
        value: memoryOf('live'),
      },
      {
        key: 'opcuaHistoryMemoryMB',
        what: 'the same while it reads history, MB',
        value: memoryOf('history'),
      },
    ],
    tables: [
      {
        title: 'OPC UA',
        rows: [row('live', 'ours'), row('live', 'bare'), row('history', 'ours'), row('history', 'bare')],
      },
    ],
    notes: [
      `OPC UA live: the server sets ${tags} variables every ${tickMs} ms, or as often as it can, so values/s may be its limit; values per processor second are the client's alone.`,
    ],
  };
}
