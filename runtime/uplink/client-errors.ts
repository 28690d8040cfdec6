// Classifies the client library's errors. Pure: it looks at names and AMQP conditions only, so that one file alone imports
// the library.
import { describeError, HoldfastError } from '../../kernel/errors.ts';

/**
 * `refused`: the hub will never take this message. `throttled`: too fast or over quota, the connection is
 * sound. `unauthorized`: the identity or its token is refused. `doubt`: anything else; the connection can no
 * longer be trusted.
 */
export type FailureKind = 'refused' | 'throttled' | 'quota' | 'unauthorized' | 'doubt';

const byName: Readonly<Record<string, FailureKind>> = {
  MessageTooLargeError: 'refused',
  ArgumentError: 'refused',
  ArgumentOutOfRangeError: 'refused',
  FormatError: 'refused',
  PreconditionFailedError: 'refused',
  ThrottlingError: 'throttled',
  IotHubQuotaExceededError: 'quota',
  IoTHubSuspendedError: 'quota',
  UnauthorizedError: 'unauthorized',
  DeviceNotFoundError: 'unauthorized',
};

const byCondition: Readonly<Record<string, FailureKind>> = {
  'amqp:link:message-size-exceeded': 'refused',
  'amqp:decode-error': 'refused',
  'amqp:invalid-field': 'refused',
  'com.microsoft:argument-error': 'refused',
  'com.microsoft:argument-out-of-range': 'refused',
  'com.microsoft:device-container-throttled': 'throttled',
  'com.microsoft:server-busy': 'throttled',
  'amqp:resource-limit-exceeded': 'quota',
  'com.microsoft:quota-exceeded': 'quota',
  'com.microsoft:iot-hub-suspended': 'quota',
  'amqp:unauthorized-access': 'unauthorized',
  'amqp:not-found': 'unauthorized',
};

export function failureKind(error: unknown): FailureKind {
  for (const candidate of chain(error)) {
    const condition = property(candidate, 'condition');
    if (condition !== undefined) {
      const kind = byCondition[condition];
      if (kind !== undefined) return kind;
    }
    const kind = byName[property(candidate, 'name') ?? ''];
    if (kind !== undefined) return kind;
  }
  return 'doubt';
}

/** The library's error with what AMQP said, which the library keeps in a side property. */
export function describeClientError(error: unknown): string {
  const texts = chain(error).flatMap((candidate) => {
    const condition = property(candidate, 'condition');
    const description = property(candidate, 'description');
    const message = candidate instanceof Error ? candidate.message || candidate.name : undefined;
    return [message, condition, description].filter((text) => text !== undefined && text !== '');
  });
  return texts.length === 0 ? describeError(error) : [...new Set(texts)].join(': ');
}

/** The error that a failed send rejects with. `alone`: nothing else was in flight while it was. */
export function sendError(error: unknown, alone: boolean): HoldfastError {
  const text = describeClientError(error);
  // Without `cause`: the text has all of it, and would be said twice.
  const options = { retryable: true };
  switch (failureKind(error)) {
    case 'refused':
      // The hub says it by ending the link, which fails all that is in flight with the same error.
      // Only a message that was alone is surely the one it meant.
      return alone
        ? new HoldfastError('uplink-message-refused', `the hub refuses this message: ${text}`, {
            cause: error,
          })
        : new HoldfastError(
            'uplink-message-suspect',
            `one of several messages was refused: ${text}`,
            options,
          );
    case 'throttled':
      return new HoldfastError('uplink-throttled', `the hub asks to send slower: ${text}`, options);
    case 'quota':
      return new HoldfastError('uplink-quota-exceeded', `the hub's quota is used up: ${text}`, options);
    case 'unauthorized':
      return new HoldfastError('uplink-unauthorized', `the hub refuses this module: ${text}`, options);
    case 'doubt':
      return new HoldfastError('uplink-connection-lost', `the connection failed: ${text}`, options);
  }
}

// Bounded: causes may form a cycle.
function chain(error: unknown): unknown[] {
  const found: unknown[] = [];
  let current = error;
  while (current !== undefined && current !== null && found.length < 5 && !found.includes(current)) {
    found.push(current);
    const { amqpError, innerError, cause } = current as Record<string, unknown>;
    current = amqpError ?? innerError ?? cause;
  }
  return found;
}

function property(value: unknown, key: string): string | undefined {
  const found = (value as Record<string, unknown> | null | undefined)?.[key];
  if (found === undefined || found === null) return undefined;
  return typeof found === 'string' ? found : undefined;
}
