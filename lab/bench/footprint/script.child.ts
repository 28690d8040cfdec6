// What somebody writes in an afternoon: poll, keep in memory, send. A cut, a restart or a full buffer loses readings.
import { readFileSync } from 'node:fs';
import device from 'azure-iot-device';
import transport from 'azure-iot-device-amqp';
import modbusSerial from 'modbus-serial';
import { childSettings, mark } from '../harness/child.ts';

export interface ScriptSettings {
  readonly port: number;
  readonly devices: number;
  /** Of two registers each as float32, of one as uint16. */
  readonly type: 'float32' | 'uint16';
  readonly tagsEach: number;
  readonly connectionString: string;
  readonly caFile: string;
}

const { port, devices, type, tagsEach, connectionString, caFile } = childSettings<ScriptSettings>();
const client = device.ModuleClient.fromConnectionString(connectionString, transport.Amqp);
await client.setOptions({ ca: readFileSync(caFile, 'utf8') });
await client.open();

let readings = 0;
let waiting: object[] = [];

async function poll(modbus: InstanceType<typeof modbusSerial.default>, unit: number): Promise<void> {
  const length = type === 'float32' ? tagsEach * 2 : tagsEach;
  const { buffer } = await modbus.readHoldingRegisters(0, length);
  const time = new Date().toISOString();
  for (let tag = 0; tag < tagsEach; tag++) {
    const value = type === 'float32' ? buffer.readFloatBE(tag * 4) : buffer.readUInt16BE(tag * 2);
    waiting.push({ device: `device-${unit}`, tag: `tag-${tag}`, time, value });
  }
  readings += tagsEach;
  if (waiting.length >= 2000) send();
}

function send(): void {
  if (waiting.length === 0) return;
  const message = new device.Message(JSON.stringify(waiting));
  waiting = [];
  client.sendEvent(message, (error) => {
    if (error) console.error(error.message);
  });
}

for (let unit = 1; unit <= devices; unit++) {
  const modbus = new modbusSerial.default();
  await modbus.connectTCP('127.0.0.1', { port });
  modbus.setID(unit);
  setInterval(() => void poll(modbus, unit).catch((error) => console.error(error.message)), 1000);
}
setInterval(send, 10_000);
setInterval(() => mark('readings', { readings }), 1000);
