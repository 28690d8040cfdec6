// Unpacks a stored message of the hub to single readings.
import { type BodySchema, decodeBody } from '../../wire/body.ts';
import { parseMessage, type SystemProperties } from '../../wire/parse-message.ts';
import type { CloudMessage } from './cloud-copy.ts';

/** @throws HoldfastError for what is no message of the protocol. */
export function unpackMessage(
  properties: Readonly<Record<string, unknown>>,
  system: SystemProperties,
  body: Uint8Array,
): CloudMessage {
  const parsed = parseMessage(properties, system);
  const { batchId, index, isBackfill } = parsed;
  const common = { messageId: String(system.messageId), batchId, index, isBackfill };
  if (parsed.kind === 'late-void') {
    return { ...common, window: { start: 0, end: 0 }, content: { kind: 'late-void', reason: parsed.reason } };
  }
  const { window } = parsed;
  if (parsed.kind === 'void') return { ...common, window, content: { kind: 'void', reason: parsed.reason } };
  const readings = decodeBody(body, {
    schema: (parsed.schema ?? 'readings/1') as BodySchema,
    contentEncoding: parsed.contentEncoding ?? 'utf-8',
    index,
  });
  const { count, part } = parsed;
  return {
    ...common,
    window,
    content: {
      kind: parsed.kind,
      readings,
      ...(count === undefined ? {} : { count }),
      ...(part === undefined ? {} : { part }),
    },
  };
}
