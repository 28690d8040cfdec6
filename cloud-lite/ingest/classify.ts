// Decides what one event is: a message for the ledger, or one to set aside. Pure.
import { describeError } from '../../kernel/errors.ts';
import { cutText } from '../../kernel/text.ts';
import { type ParsedMessage, parseMessage } from '../../wire/message.ts';
import { isStorable } from '../database/storable.ts';
import type { Arrival } from '../ledger/arrival.ts';
import type { ReceivedEvent } from './event-source.ts';
import { implausibleReasons } from './plausible.ts';

export const setAsideReasons = [
  /** A twin change, a lifecycle event: the hub's own messages. */
  'not-telemetry',
  /** No device, or no module, behind it: something else writes to this event hub. */
  'no-device',
  'not-a-mini-batch',
  /** What a rule sent to another module: a route upstream names every output of the module. */
  'rule-action',
  /** No honest clock or counter says it (plausible.ts). */
  ...implausibleReasons,
  /** The message is taken, but not its word that the stream began so far back. */
  'implausible-start',
  /** The stream is ordered by something else than this message says. */
  'index-changed',
  /** The database took the batch without it, and not with it. */
  'refused-by-database',
  /** The hub, or its client, gave something that is no event: without a time, say (sound-event.ts). */
  'damaged-event',
] as const;
export type SetAsideReason = (typeof setAsideReasons)[number];

export type Classified =
  | { readonly kind: 'arrival'; readonly arrival: Arrival }
  | { readonly kind: 'aside'; readonly reason: SetAsideReason; readonly detail: string };

const maxIdentityLength = 128;

export function classify(event: ReceivedEvent): Classified {
  const source = text(event.annotations['iothub-message-source']);
  if (source !== undefined && source.toLowerCase() !== 'telemetry') return aside('not-telemetry', source);
  const deviceId = text(event.annotations['iothub-connection-device-id']);
  if (!deviceId) return aside('no-device', 'no annotation iothub-connection-device-id');
  const givenModule = event.annotations['iothub-connection-module-id'];
  const moduleId = givenModule === undefined || givenModule === null ? '' : text(givenModule);
  // Not the device's own: its streams are others.
  if (moduleId === undefined)
    return aside('no-device', 'the annotation iothub-connection-module-id is no module id');
  if (deviceId.length > maxIdentityLength || moduleId.length > maxIdentityLength) {
    return aside('no-device', 'device or module id longer than 128 characters');
  }
  try {
    const { rule } = event.properties;
    if (text(rule) && !namesStream(event.properties)) return aside('rule-action', routeHint(String(rule)));
    return classifyMessage(event, { deviceId, moduleId });
  } catch (error) {
    // Also what no parser should throw: one strange message must not stop its partition.
    return aside('not-a-mini-batch', describeError(error));
  }
}

function classifyMessage(event: ReceivedEvent, sender: { deviceId: string; moduleId: string }): Classified {
  const { messageId, contentType, contentEncoding } = event;
  const message = parseMessage(event.properties, { messageId, contentType, contentEncoding });
  const { index, batchId, isBackfill, requestId } = message;
  const content = contentOf(message);
  const { lateThrough, streamStart } =
    message.kind === 'batch' || message.kind === 'void'
      ? message
      : { lateThrough: undefined, streamStart: undefined };
  return {
    kind: 'arrival',
    arrival: {
      stream: { ...sender, batchId },
      index,
      isBackfill,
      heardAt: event.enqueuedAt,
      content,
      ...(requestId === undefined ? {} : { requestId }),
      ...(lateThrough === undefined ? {} : { lateThrough }),
      ...(streamStart === undefined ? {} : { streamStart }),
    },
  };
}

function contentOf(message: ParsedMessage): Arrival['content'] {
  if (message.kind === 'void') return { kind: 'void', window: message.window, reason: message.reason };
  if (message.kind === 'late-void') return { kind: 'late-void', late: message.late, reason: message.reason };
  const { part, partSet: set } = message;
  const batch = {
    readings: message.count ?? 0,
    ...(part === undefined ? {} : { part: { ...part, ...(set === undefined ? {} : { set }) } }),
  };
  return message.kind === 'late'
    ? { kind: 'late', late: message.late, ...batch }
    : { kind: 'batch', window: message.window, ...batch };
}

const namesStream = (properties: ReceivedEvent['properties']) =>
  Object.keys(properties).some((name) => /^(batchid|deviceid)$/i.test(name));

const routeHint = (rule: string) =>
  `what rule ${cutText(rule, maxIdentityLength)} sent to an output: the route upstream names all outputs of the module; ` +
  'it should name one, /messages/modules/MODULE/outputs/telemetry';

// NUL and halves of characters, which no database's text can hold, are not part of any identity.
const text = (value: unknown) =>
  typeof value === 'string' && isStorable(value) && !value.includes('\n') ? value : undefined;

const aside = (reason: SetAsideReason, detail: string): Classified => ({ kind: 'aside', reason, detail });
