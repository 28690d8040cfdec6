// Writes one tag: in the type that the node holds, since OPC UA servers convert nothing.
import { isDeepStrictEqual } from 'node:util';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { TagWrite } from '../tag-write.ts';
import type { OpcuaSession } from './opcua-session.ts';
import { isGood } from './quality.ts';
import { decode } from './values.ts';
import { toVariant } from './write-value.ts';

/** @throws HoldfastError `opcua-bad-value`, `opcua-write-refused`, `source-not-as-expected` and what the session throws */
export async function writeTag(
  session: OpcuaSession,
  nodeId: string,
  { tag, value, expected, onSend }: TagWrite,
): Promise<void> {
  const [held] = await session.read([nodeId]);
  if (!held?.value || held.value.dataType === 0) {
    const why = held ? ` (${held.statusCode.name})` : '';
    throw refused(tag, `the server does not say what type it has${why}`);
  }
  const variant = toVariant(tag, value, held.value);
  if (expected !== undefined) {
    const shown = decode(held.value).value;
    if (!isDeepStrictEqual(shown, expected) || !isGood(held.statusCode)) {
      const message = `tag '${tag}' holds ${JSON.stringify(shown)} (${held.statusCode.name}), not ${JSON.stringify(expected)}: nothing was written`;
      throw new HoldfastError('source-not-as-expected', message);
    }
  }
  onSend();
  const status = await session.write(nodeId, variant);
  if (!isGood(status)) throw refused(tag, `the server answered ${status.name}`);
}

function refused(tag: string, why: string): HoldfastError {
  return new HoldfastError('opcua-write-refused', `tag '${tag}' was not written: ${why}`, {
    retryable: true,
  });
}
