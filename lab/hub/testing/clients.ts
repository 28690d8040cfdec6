// The unmodified clients, connected to a hub: for the hub's own tests.
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { connect } from 'node:tls';
import { EventHubConsumerClient, type ReceivedEventData, type SubscribeOptions } from '@azure/event-hubs';
import common from 'azure-iot-common';
import device from 'azure-iot-device';
import transport from 'azure-iot-device-amqp';
import type { Hub } from '../hub.ts';

// Named imports would do under vitest, but not under Node: these packages re-export what it cannot see.
const { Message, NoRetry } = common;
const { ModuleClient } = device;
const { Amqp } = transport;

export const deviceId = 'device-1';
export const moduleId = 'module-1';

/** A module client that fails at once instead of retrying for minutes. Not opened. */
export async function moduleClient(hub: Hub, connectionString?: string): Promise<device.ModuleClient> {
  const text = connectionString ?? hub.deviceConnectionString(deviceId, moduleId);
  const client = ModuleClient.fromConnectionString(text, Amqp);
  client.setRetryPolicy(new NoRetry());
  client.on('error', () => {});
  await client.setOptions({ ca: readFileSync(hub.caFile, 'utf8') });
  return client;
}

export async function openModule(hub: Hub): Promise<device.ModuleClient> {
  const client = await moduleClient(hub);
  await client.open();
  return client;
}

export function telemetry(
  body: string | Buffer,
  properties: Record<string, string> = {},
  messageId?: string,
) {
  const message = new Message(body);
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  if (messageId !== undefined) message.messageId = messageId;
  for (const [name, value] of Object.entries(properties)) message.properties.add(name, value);
  return message;
}

/** What a send came to: `ok`, `nothing` (resolved without a result: a false success), `pending`, or the error's name. */
export async function sendOutcome(
  client: device.ModuleClient,
  message: common.Message = telemetry('{}'),
  limitMs = 300,
): Promise<string> {
  const sent = client.sendEvent(message).then(
    (result) => (result ? 'ok' : 'nothing'),
    (error: Error) => error.name,
  );
  const limit = new Promise<string>((resolve) => setTimeout(() => resolve('pending'), limitMs));
  return Promise.race([sent, limit]);
}

export interface Consumer {
  readonly events: ReceivedEventData[];
  readonly client: EventHubConsumerClient;
  close(): Promise<void>;
}

export interface ConsumeOptions {
  readonly group?: string;
  /** Only this partition; without it all, which takes the client a second to get hold of. */
  readonly partition?: string;
  readonly subscribe?: SubscribeOptions;
}

/** Reads from the first event unless told otherwise. */
export function consume(hub: Hub, options: ConsumeOptions = {}): Consumer {
  const client = new EventHubConsumerClient(options.group ?? '$Default', hub.eventHubConnectionString, {
    retryOptions: { maxRetries: 2, retryDelayInMs: 50, timeoutInMs: 2000 },
  });
  const events: ReceivedEventData[] = [];
  const handlers = {
    processEvents: async (batch: ReceivedEventData[]) => void events.push(...batch),
    processError: async () => {},
  };
  const settings: SubscribeOptions = {
    startPosition: { offset: '-1' },
    maxWaitTimeInSeconds: 0.1,
    // The client asks for three times this many at once; by default 3, every 40 ms.
    maxBatchSize: 100,
    ...options.subscribe,
  };
  const subscription =
    options.partition === undefined
      ? client.subscribe(handlers, settings)
      : client.subscribe(options.partition, handlers, settings);
  return {
    events,
    client,
    async close() {
      const closed = subscription.close().then(() => client.close());
      // A client that is in the middle of a retry when it is told to close waits that out.
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 3000))]);
    },
  };
}

/** Polls, since what is waited for happens in another party of the conversation. */
export async function eventually<T>(what: () => T | undefined | false, limitMs = 60_000): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const value = what();
    if (value !== undefined && value !== false) return value as T;
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** An HTTPS agent that dials `port` whatever port is asked for: the Azure clients are fixed to 443. */
export function agentFor(port: number, ca: string): Agent {
  const agent = new Agent({ ca });
  agent.createConnection = (options: object) =>
    connect({ ...options, port, host: 'localhost', servername: 'localhost', ca });
  return agent;
}
