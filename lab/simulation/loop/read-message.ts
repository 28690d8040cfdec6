// A message as the hub's reader takes it.
import { decodeBody } from '../../../wire/body.ts';
import { parseMessage } from '../../../wire/message.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import type { ParsedMessage } from '../../../wire/parse-message.ts';
import type { Reading } from '../../../wire/reading.ts';

export function parsedOf(message: WireMessage): ParsedMessage {
  return parseMessage(message.properties, {
    messageId: message.messageId,
    contentType: 'application/json',
    contentEncoding: message.contentEncoding,
  });
}

export function readingsOf(
  parsed: Extract<ParsedMessage, { kind: 'batch' | 'late' }>,
  { body }: WireMessage,
): readonly Reading[] {
  return decodeBody(body, {
    schema: parsed.schema ?? 'columns/1',
    index: parsed.index,
    contentEncoding: parsed.contentEncoding,
  } as never);
}
