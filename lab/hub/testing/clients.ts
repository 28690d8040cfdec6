// The unmodified clients, connected to a hub: for the hub's own tests.
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { connect } from 'node:tls';
import { EventHubConsumerClient, type ReceivedEventData } from '@azure/event-hubs';
import { NoRetry } from 'azure-iot-common';
import { Message, ModuleClient } from 'azure-iot-device';
import { Amqp } from 'azure-iot-device-amqp';
import type { Hub } from '../hub.ts';

export const deviceId = 'device-1';
export const moduleId = 'module-1';

/** A module client that fails at once instead of retrying for minutes. Not opened. */
export async function moduleClient(hub: Hub, connectionString?: string): Promise<ModuleClient> {
  const text = connectionString ?? hub.deviceConnectionString(deviceId, moduleId);
  const client = ModuleClient.fromConnectionString(text, Amqp);
  client.setRetryPolicy(new NoRetry());
  client.on('error', () => {});
  await client.setOptions({ ca: readFileSync(hub.caFile, 'utf8') });
  return client;
}

export async function openModule(hub: Hub): Promise<ModuleClient> {
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
  client: ModuleClient,
  message: Message = telemetry('{}'),
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

/** Reads all partitions, from the first event unless told otherwise. */
export function consume(
  hub: Hub,
  options: { group?: string; from?: Parameters<EventHubConsumerClient['subscribe']>[1] } = {},
): Consumer {
  const client = new EventHubConsumerClient(options.group ?? '$Default', hub.eventHubConnectionString, {
    retryOptions: { maxRetries: 2, retryDelayInMs: 50, timeoutInMs: 2000 },
  });
  const events: ReceivedEventData[] = [];
  const handlers = {
    processEvents: async (batch: ReceivedEventData[]) => void events.push(...batch),
    processError: async () => {},
  };
  const subscription = client.subscribe(handlers, {
    startPosition: { offset: '-1' },
    maxWaitTimeInSeconds: 0.2,
    ...options.from,
  });
  return {
    events,
    client,
    async close() {
      await subscription.close();
      await client.close();
    },
  };
}

/** Polls, since what is waited for happens in another party of the conversation. */
export async function eventually<T>(what: () => T | undefined | false, limitMs = 5000): Promise<T> {
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
