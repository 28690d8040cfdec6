// Writes one tag: in the type that the node holds, since OPC UA servers convert nothing.
import { isDeepStrictEqual } from 'node:util';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { TagWrite } from '../tag-write.ts';
import { OpcuaServiceError } from './opcua-errors.ts';
import type { OpcuaSession } from './opcua-session.ts';
import { isClamped, isGood } from './quality.ts';
import { decode } from './values.ts';
import { toVariant } from './write-value.ts';

/** @throws HoldfastError `opcua-bad-value`, `opcua-write-refused`, `source-not-as-expected` and what the session throws */
export async function writeTag(
  session: OpcuaSession,
  nodeId: string,
  { tag, value, expected, onSend, onRefused }: TagWrite,
): Promise<void> {
  const [held] = await session.read([nodeId]);
  if (!held?.value || held.value.dataType === 0) {
    const why = held ? ` (${held.statusCode.name})` : '';
    throw refused(tag, `the server does not say what type it has${why}`, held?.statusCode.name);
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
  const status = await session.write(nodeId, variant).catch((error) => {
    if (!(error instanceof OpcuaServiceError)) throw error;
    if (untaken.test(error.status)) onRefused?.();
    throw refused(tag, error.message, error.status);
  });
  if (isClamped(status)) {
    const message = `tag '${tag}' was written, but the server limited the value (${status.name})`;
    throw new HoldfastError('source-not-held', message);
  }
  if (isGood(status)) return;
  if (untaken.test(status.name)) onRefused?.();
  throw refused(tag, `the server answered ${status.name}`, status.name);
}

/** OPC 10000-4, 7.38.2: what the server will answer again, however often it is asked: the node, the value or the user is at fault. */
const final =
  /^Bad(NotWritable|NotReadable|WriteNotSupported|UserAccessDenied|OutOfRange|TypeMismatch|NodeIdUnknown|NodeIdInvalid|AttributeIdInvalid|IndexRangeInvalid|IndexRangeNoData|DataEncodingInvalid|DataEncodingUnsupported|NotSupported|NotImplemented|ServiceUnsupported|SecurityModeInsufficient|InvalidArgument|IndexRangeDataMismatch|EncodingLimitsExceeded|RequestTooLarge)$/;
/** By these, too, it says that nothing was done. Others, as BadTimeout or BadDeviceFailure, leave open what the equipment behind it did. */
const untaken = new RegExp(
  `${final.source}|^Bad(TooManyOperations|NothingToDo|InvalidState|ServerHalted|NotConnected|WaitingForInitialData|ServerTooBusy|Locked|SessionIdInvalid|SessionNotActivated|LicenseExpired)$`,
);

function refused(tag: string, why: string, status = ''): HoldfastError {
  return new HoldfastError('opcua-write-refused', `tag '${tag}' was not written: ${why}`, {
    retryable: !final.test(status),
  });
}
