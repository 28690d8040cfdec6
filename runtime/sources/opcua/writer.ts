// Writes one tag: in the type that the node holds, since OPC UA servers convert nothing.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Value } from '../../../wire/reading.ts';
import type { OpcuaSession } from './opcua-session.ts';
import { isGood } from './quality.ts';
import { toVariant } from './write-value.ts';

/** @throws HoldfastError `opcua-bad-value`, `opcua-write-refused` and what the session throws */
export async function writeTag(
  session: OpcuaSession,
  tag: string,
  nodeId: string,
  value: Value,
): Promise<void> {
  const [held] = await session.read([nodeId]);
  if (!held?.value || held.value.dataType === 0) {
    const why = held ? ` (${held.statusCode.name})` : '';
    throw refused(tag, `the server does not say what type it has${why}`);
  }
  const status = await session.write(nodeId, toVariant(tag, value, held.value));
  if (!isGood(status)) throw refused(tag, `the server answered ${status.name}`);
}

function refused(tag: string, why: string): HoldfastError {
  return new HoldfastError('opcua-write-refused', `tag '${tag}' was not written: ${why}`, {
    retryable: true,
  });
}
