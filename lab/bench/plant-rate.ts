// How many requests a second the simulated Modbus device answers, and what a request costs it in processor
// time: a load test of anything else needs a device that is not the limit. The device runs as a process
// of its own; the clients here share the machine with it, so `serverMicros` is the figure to compare.
//
//   node lab/bench/plant-rate.ts [--seconds 3] [--json]
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '3' }, json: { type: 'boolean', default: false } },
});
const seconds = Number(values.seconds);

interface Load {
  readonly name: string;
  readonly clients: number;
  /** Requests each client keeps under way. */
  readonly depth: number;
  readonly registers: number;
}

const loads: readonly Load[] = [
  { name: 'pipelined', clients: 1, depth: 256, registers: 26 },
  { name: 'pipelined, 125 registers', clients: 1, depth: 256, registers: 125 },
  { name: '16 clients, one at a time', clients: 16, depth: 1, registers: 26 },
  { name: '1 client, one at a time', clients: 1, depth: 1, registers: 26 },
];

const main = fileURLToPath(new URL('../plant/main.ts', import.meta.url));
const plant = spawn(process.execPath, [main, '--max-connections', '64'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ready = await new Promise<{ port: number; controlPort: number }>((resolve) =>
  createInterface(plant.stdout).once('line', (line) => resolve(JSON.parse(line))),
);

const rows = [];
for (const load of loads) {
  await run(load, 500);
  rows.push(await run(load, seconds * 1000));
}
plant.kill();
if (values.json) console.log(JSON.stringify(rows));
else console.table(rows);

async function run(load: Load, ms: number) {
  const sockets = await Promise.all(Array.from({ length: load.clients }, () => open(ready.port)));
  const countedBefore = await countedByPlant();
  const cpuBefore = cpuMicros();
  const started = performance.now();
  const answered = sockets.map((socket) => keepAsking(socket, load));
  await new Promise((resolve) => setTimeout(resolve, ms));
  const requests = answered.reduce((sum, count) => sum + count(), 0);
  const elapsedS = (performance.now() - started) / 1000;
  const cpu = cpuMicros() - cpuBefore;
  const counted = (await countedByPlant()) - countedBefore;
  if (counted < requests) throw new Error(`${requests} answers received, ${counted} given`);
  for (const socket of sockets) socket.destroy();
  return {
    load: load.name,
    requestsPerSecond: Math.round(requests / elapsedS),
    serverCore: Number((cpu / 1e6 / elapsedS).toFixed(2)),
    serverMicros: Number((cpu / requests).toFixed(2)),
  };
}

/** Sends `depth` requests and one more for each answer. Returns how many were answered so far. */
function keepAsking(socket: Socket, load: Load): () => number {
  // The ring is read where 125 registers are wanted: the sample block has fewer.
  const address = load.registers > 26 ? 2000 : 0;
  const request = Buffer.from([0, 1, 0, 0, 0, 6, 1, 3, address >> 8, address & 255, 0, load.registers]);
  const batch = Buffer.concat(Array.from({ length: load.depth }, () => request));
  const answerBytes = 9 + load.registers * 2;
  let bytes = 0;
  let asked = load.depth;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    const answered = Math.floor(bytes / answerBytes);
    const more = answered + load.depth - asked;
    if (more > 0) socket.write(batch.subarray(0, more * request.length));
    asked += more;
  });
  socket.write(batch);
  return () => Math.floor(bytes / answerBytes);
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Requests that unit 1 answered so far, refusals left out. */
async function countedByPlant(): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${ready.controlPort}/state`);
  const { units } = (await response.json()) as { units: Record<string, Record<string, number>> };
  return units[1]!.answers! - units[1]!.exceptions!;
}

/** Processor time of the plant so far, user and system. Linux counts it in ticks of 10 ms. */
function cpuMicros(): number {
  const fields = readFileSync(`/proc/${plant.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}
