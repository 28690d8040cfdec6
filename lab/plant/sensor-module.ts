// Another IoT Edge module that measures and hands its readings to ours, in the shape of the published
// SimulatedTemperatureSensor: through the unmodified device client, to an output that the hub routes. It keeps no
// history: what it cannot hand over is lost, and shows by its numbers. What it measures heats up until a message to its
// input `control` resets it. Keeps the truth of all it ever measured, and of each reset.

import { readFileSync } from 'node:fs';
import common from 'azure-iot-common';
import device, { type ModuleClient } from 'azure-iot-device';
import transport from 'azure-iot-device-amqp';
import { systemClock } from '../../kernel/clock.ts';
import { type ControlledPlant, controlPortOf, startControl } from './control.ts';
import { Heat } from './heat.ts';
import { sampleAt, tagValues } from './sample.ts';
import { startScanSchedule } from './scan-schedule.ts';
import { sensorControl, sensorFaultsPatch, sensorOutput, sensorUnit, sensorValues } from './sensor-site.ts';
import { Truth } from './truth.ts';

// Named imports would do under vitest, but not under Node: these packages re-export what it cannot see.
const { Message, NoRetry } = common;

export interface SensorOptions {
  /** As the module, with its key. */
  readonly connectionString: string;
  /** PEM file of the authority to trust. */
  readonly caFile: string;
  readonly seed: number;
  readonly scanMs: number;
}

export interface SensorInfo {
  readonly controlPort: number;
  readonly unit: number;
}

export interface Sensor {
  readonly info: SensorInfo;
  stop(): Promise<void>;
}

interface Sample {
  readonly number: number;
  readonly timestamp: number;
}

const retryMs = 300;
/** Of messages, one after the other, before a connection counts as lost. */
const maxFailures = 10;
/** Beyond these it drops the oldest, as a module without a disk does. */
const maxWaiting = 1000;

/** Resolves once it is connected and measures. */
export async function startSensor(options: SensorOptions): Promise<Sensor> {
  const { seed, scanMs } = options;
  const heat = new Heat();
  const truth = new Truth({ seed, unit: sensorUnit, stepMs: scanMs });
  const outbox = await openOutbox(options, heat);
  let unplugged = false;
  let isSampling = true;
  let number = 0;
  const schedule = startScanSchedule(
    { clock: systemClock, periodMs: scanMs, prefillSlots: 0 },
    (timestamp) => {
      number += 1;
      truth.add(number, timestamp);
      heat.measure();
      if (!unplugged) outbox.put({ number, timestamp });
    },
  );
  const refuse = (): never => {
    throw new RangeError('the sensor has no such thing');
  };
  const controlled: ControlledPlant = {
    state: () => ({
      isSampling,
      units: { [sensorUnit]: { samples: number, forgotten: truth.forgotten, ...heat.state() } },
    }),
    faults: () => ({ unplugged }),
    async setFaults(patch) {
      unplugged = sensorFaultsPatch.parse(patch).unplugged;
      return { unplugged };
    },
    *truth(unit, query) {
      if (unit !== sensorUnit) refuse();
      for (const { values, ...sample } of truth.samples(query)) {
        const own = sensorValues(values, heat.of(sample.number));
        yield { ...sample, values: own as unknown as typeof values };
      }
    },
    shown: refuse,
    dropConnections: refuse,
    eraseLog: refuse,
    stepClock: refuse,
    stopSampling() {
      isSampling = false;
      schedule.stop();
    },
  };
  const control = await startControl(controlled, 0);
  return {
    info: { controlPort: controlPortOf(control), unit: sensorUnit },
    async stop() {
      schedule.stop();
      control.closeAllConnections();
      control.close();
      await outbox.close();
    },
  };
}

function bodyOf(sample: Sample, seed: number, heat: Heat): string {
  const values = sensorValues(tagValues(sampleAt(seed, sensorUnit, sample.number)), heat.of(sample.number));
  return JSON.stringify({
    machine: { temperature: values['machine.temperature'], pressure: values['machine.pressure'] },
    ambient: { temperature: values['ambient.temperature'], humidity: values['ambient.humidity'] },
    timeCreated: new Date(sample.timestamp).toISOString(),
  });
}

/**
 * One client is one connection: the library connects again for the next message, and leaves the input behind. So a client whose
 * connection ended, or that sends nothing any more, gives way to a new one.
 */
async function keepClient({ connectionString, caFile }: SensorOptions, heat: Heat) {
  let client: ModuleClient | undefined;
  let isClosed = false;
  const connect = async () => {
    const next = device.ModuleClient.fromConnectionString(connectionString, transport.Amqp);
    next.setRetryPolicy(new NoRetry());
    const onEnd = () => lose(next);
    next.on('error', onEnd);
    next.on('disconnect', onEnd);
    await next.setOptions({ ca: readFileSync(caFile, 'utf8') });
    await next.open();
    next.on('inputMessage', (input, message) => {
      if (input === sensorControl)
        heat.hear(message.messageId, message.getData().toString(), systemClock.now());
      next.complete(message).catch(() => {});
    });
    return next;
  };
  const lose = (lost: ModuleClient) => {
    if (lost !== client) return;
    client = undefined;
    lost.close().catch(() => {});
    void again();
  };
  const again = async () => {
    while (client === undefined && !isClosed) {
      await new Promise((resolve) => setTimeout(resolve, retryMs));
      client = await connect().catch(() => undefined);
    }
    if (isClosed) await client?.close().catch(() => {});
  };
  client = await connect();
  return {
    current: () => client,
    lose,
    async close() {
      isClosed = true;
      await client?.close().catch(() => {});
    },
  };
}

/** One message at a time, in order, each until it is taken. What arrives at the module's input changes its heat. */
async function openOutbox(options: SensorOptions, heat: Heat) {
  const { seed } = options;
  const clients = await keepClient(options, heat);
  const waiting: Sample[] = [];
  let isSending = false;
  let isClosed = false;
  let failures = 0;
  const send = async () => {
    isSending = true;
    for (let sample = waiting[0]; sample !== undefined && !isClosed; sample = waiting[0]) {
      const message = new Message(bodyOf(sample, seed, heat));
      message.contentType = 'application/json';
      message.contentEncoding = 'utf-8';
      message.properties.add('sequenceNumber', String(sample.number));
      const client = clients.current();
      const taken = await client?.sendOutputEvent(sensorOutput, message).catch(() => undefined);
      failures = taken ? 0 : failures + 1;
      if (taken) waiting.shift();
      else await new Promise((resolve) => setTimeout(resolve, retryMs));
      if (client !== undefined && failures >= maxFailures) {
        failures = 0;
        clients.lose(client);
      }
    }
    isSending = false;
  };
  return {
    put(sample: Sample) {
      waiting.push(sample);
      if (waiting.length > maxWaiting) waiting.shift();
      if (!isSending) void send();
    },
    async close() {
      isClosed = true;
      await clients.close();
    },
  };
}
