// The bare modbus-serial loop: blocks of 125 holding registers, one request after the other, each register a number.
import modbusSerial from 'modbus-serial';
import { childSettings, mark } from '../harness/child.ts';
import { raisePriority } from '../harness/priority.ts';
import { cpuMicros, residentMB } from '../harness/usage.ts';
import { blockRegisters, blocks, type LoopSettings } from './loop.ts';

raisePriority();
const { port, warmupMs, measureMs } = childSettings<LoopSettings>();
const client = new modbusSerial.default();
await client.connectTCP('127.0.0.1', { port });
client.setID(1);
const tags = new Array<number>(blocks * blockRegisters);
let requests = 0;
const loop = async (ms: number) => {
  const until = performance.now() + ms;
  while (performance.now() < until) {
    const at = (requests++ % blocks) * blockRegisters;
    const { data } = await client.readHoldingRegisters(at, blockRegisters);
    for (let n = 0; n < blockRegisters; n++) tags[at + n] = data[n]!;
  }
};
await loop(warmupMs);
requests = 0;
const [startedAt, cpuBefore] = [performance.now(), cpuMicros()];
await loop(measureMs);
const count = requests * blockRegisters;
mark('end', {
  tagsPerSecond: (count * 1000) / (performance.now() - startedAt),
  cpuMicrosPerTag: (cpuMicros() - cpuBefore) / count,
  residentMB: residentMB(),
});
process.exit(0);
