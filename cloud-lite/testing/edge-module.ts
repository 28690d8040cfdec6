// An edge module reduced to what the detector sees of it: it sends windows, loses some on request, and
// answers backfill requests from memory. It speaks through the unmodified device client.
import { readFileSync } from 'node:fs';
import common from 'azure-iot-common';
import device, { type DeviceMethodRequest, type DeviceMethodResponse } from 'azure-iot-device';
import transport from 'azure-iot-device-amqp';
import type { Hub } from '../../lab/hub/hub.ts';
import { encodeMiniBatch, encodeVoid } from '../../wire/message.ts';
import { parseBackfillRequest, resolveRange } from '../../wire/methods.ts';
import type { BackfillMark, VoidReason, WireMessage } from '../../wire/mini-batch.ts';
import type { IndexKind, Window } from '../../wire/window.ts';

// Named imports would do under vitest, but not under Node: these packages re-export what it cannot see.
const { NoRetry } = common;
const { Message, ModuleClient } = device;
const { Amqp } = transport;

export interface EdgeModule {
  /** Sends one window with one reading. */
  send(batchId: string, window: Window, options?: SendOptions): Promise<void>;
  sendMessage(message: WireMessage): Promise<void>;
  sendVoid(batchId: string, window: Window, reason: VoidReason, mark?: BackfillMark): Promise<void>;
  /** Requests received, oldest first. */
  readonly asked: { readonly requestId: string; readonly batchId: string; readonly range: Window }[];
  close(): Promise<void>;
}

export interface SendOptions {
  readonly mark?: BackfillMark;
  readonly maxBytes?: number;
  readonly readings?: number;
}

export interface EdgeModuleOptions {
  readonly hub: Hub;
  readonly deviceId: string;
  readonly moduleId: string;
  readonly index: IndexKind;
  /** What comes of a backfill request: its answer, after having sent what it sends. Default: the range is sent. */
  readonly onBackfill?: (
    module: EdgeModule,
    request: { requestId: string; batchId: string; range: Window },
  ) => Promise<{ status: number; payload: unknown } | undefined>;
  /** What it says of itself. Without it there is no such method. */
  readonly onStatus?: () => object;
}

export async function openEdgeModule(options: EdgeModuleOptions): Promise<EdgeModule> {
  const { hub, deviceId, moduleId, index } = options;
  const client = ModuleClient.fromConnectionString(hub.deviceConnectionString(deviceId, moduleId), Amqp);
  client.setRetryPolicy(new NoRetry());
  client.on('error', () => {});
  await client.setOptions({ ca: readFileSync(hub.caFile, 'utf8') });
  await client.open();

  const module: EdgeModule = {
    asked: [],
    async send(batchId, window, { mark, maxBytes, readings = 1 } = {}) {
      const list = Array.from({ length: readings }, (_, i) => ({
        index: window.start + Math.floor(((window.end - window.start) * i) / readings),
        tag: 'value',
        value: i,
        quality: 'good' as const,
      }));
      const encoding = { schema: 'readings/1', gzip: false, creationTime: Date.now() } as const;
      const messages = encodeMiniBatch(
        { batchId, index, window, readings: list },
        { ...encoding, ...(mark ? { mark } : {}), ...(maxBytes ? { maxBytes } : {}) },
      );
      for (const message of messages) await module.sendMessage(message);
    },
    async sendVoid(batchId, window, reason, mark) {
      await module.sendMessage(
        encodeVoid(
          { batchId, index, window, reason },
          { creationTime: Date.now(), ...(mark ? { mark } : {}) },
        ),
      );
    },
    async sendMessage(wire) {
      const message = new Message(Buffer.from(wire.body));
      message.messageId = wire.messageId;
      message.contentType = 'application/json';
      // The client's types know fewer codings than it sends.
      message.contentEncoding = wire.contentEncoding as 'utf-8';
      for (const [name, value] of Object.entries(wire.properties)) message.properties.add(name, value);
      if (!(await client.sendEvent(message))) throw new Error('not sent');
    },
    close: async () => {
      await client.close();
    },
  };

  type Handler = (request: DeviceMethodRequest, response: DeviceMethodResponse) => Promise<void>;
  // The client's types give the callback optional arguments.
  const handle = (name: string, handler: Handler) =>
    client.onMethod(name, (request, response) => void handler(request!, response!));
  const answer = (response: DeviceMethodResponse, status: number, payload: unknown) => {
    response.send(status, payload).catch(() => {});
  };
  handle('backfill', async (request, response) => {
    const parsed = parseBackfillRequest(request.payload);
    if (!parsed.ok) return answer(response, 400, parsed.errors);
    if (parsed.value.kind === 'late') return answer(response, 404, {});
    const range = resolveRange(parsed.value, index);
    if (!range.ok) return answer(response, 400, range.errors);
    const { requestId, batchId } = parsed.value;
    const asked = { requestId, batchId, range: range.value };
    const known = module.asked.some((earlier) => earlier.requestId === requestId);
    module.asked.push(asked);
    if (known) return answer(response, 200, { requestId, state: 'done' });
    const given = await options.onBackfill?.(module, asked);
    if (given !== undefined) return answer(response, given.status, given.payload);
    if (options.onBackfill === undefined) await module.send(batchId, range.value, { mark: { requestId } });
    answer(response, 202, { requestId, state: 'accepted' });
  });
  const { onStatus } = options;
  if (onStatus) handle('status', async (_, response) => answer(response, 200, onStatus()));
  handle('getBackfill', async (_, response) => answer(response, 200, { state: 'done' }));
  return module;
}
