// The rule of the benchmark in Node-RED, headless: a function node that averages ten seconds and sends the reset, as people write it. Node-RED is
// installed by whoever runs this (HOLDFAST_NODE_RED): with its packages it would be larger than all else here.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childSettings, mark } from '../harness/child.ts';
import { cpuMicros } from '../harness/usage.ts';

export interface NodeRedSettings {
  /** Has `node_modules/node-red`. */
  readonly folder: string;
  readonly warmUp: number;
  readonly readings: number;
}

interface Measured {
  cpu: number;
  at: number;
}

/** Readings, in pieces: a flow is given time between them, as messages from outside would. */
const feeder = `
const bench = global.get('bench');
let n = 0;
const piece = () => {
  for (let k = 0; k < 200 && n < bench.readings; k++, n++) {
    if (n === bench.warmUp) bench.start();
    node.send({ payload: { timeCreated: n, machine: { temperature: 25 + ((n * 7919) % 40) / 3 } } });
  }
  if (n < bench.readings) setTimeout(piece, 0);
  else node.send({ end: true });
};
piece();
return null;`;

const rule = `
if (msg.end) return msg;
const { timeCreated, machine } = msg.payload;
const end = Math.ceil(timeCreated / 10000) * 10000;
let window = context.get('window');
let decided = null;
if (window === undefined || window.end !== end) {
  if (window !== undefined && window.sum / window.count > 30)
    decided = { payload: { command: 'reset', maxEventTime: new Date(window.last).toISOString() } };
  window = { end, sum: 0, count: 0, last: 0 };
}
window.sum += machine.temperature;
window.count += 1;
window.last = timeCreated;
context.set('window', window);
return decided;`;

const sink = `
const bench = global.get('bench');
if (msg.end) bench.stop();
else bench.decided += 1;
return null;`;

const { folder, warmUp, readings } = childSettings<NodeRedSettings>();
const userDir = mkdtempSync(join(tmpdir(), 'holdfast-node-red-'));
const RED = createRequire(join(folder, 'package.json'))('node-red');
const started: Measured = { cpu: 0, at: 0 };
const bench = {
  ...{ warmUp, readings: warmUp + readings, decided: 0 },
  start() {
    Object.assign(started, { cpu: cpuMicros(), at: performance.now() });
  },
  stop() {
    const seconds = (performance.now() - started.at) / 1000;
    mark('end', { cpuMicros: cpuMicros() - started.cpu, seconds, decided: bench.decided });
    rmSync(userDir, { recursive: true, force: true });
    process.exit(0);
  },
};
const made = (id: string, func: string, wires: readonly string[]) => ({
  ...{ id, type: 'function', z: 'tab', name: id, func, outputs: 1, x: 0, y: 0 },
  ...{ initialize: '', finalize: '', libs: [], wires: [wires] },
});
const inject = {
  ...{ id: 'go', type: 'inject', z: 'tab', once: true, onceDelay: 0.1, repeat: '', crontab: '' },
  ...{ props: [], x: 0, y: 0, wires: [['feeder']] },
};
const flows = [
  { id: 'tab', type: 'tab', label: 'bench' },
  ...[inject, made('feeder', feeder, ['rule']), made('rule', rule, ['sink']), made('sink', sink, [])],
];
writeFileSync(join(userDir, 'flows.json'), JSON.stringify(flows));
RED.init(createServer(), {
  ...{ userDir, flowFile: 'flows.json', httpAdminRoot: false, httpNodeRoot: false, disableEditor: true },
  ...{ credentialSecret: false, logging: { console: { level: 'off' } } },
  functionGlobalContext: { bench },
});
await RED.start();
