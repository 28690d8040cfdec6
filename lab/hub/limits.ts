// What IoT Hub refuses in a device-to-cloud message, as pure functions.
// Source: Microsoft's "Create and read IoT Hub messages" and "IoT Hub quotas and throttling".
import type { AmqpError } from './amqp.ts';

export const maxMessageBytes = 262_144;
const maxMessageIdLength = 128;
const messageIdPattern = /^[A-Za-z0-9\-:.+%_#*?!(),=@;$']*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the limit is ASCII, all of it.
const asciiPattern = /^[\x00-\x7f]*$/;

export interface IncomingMessage {
  readonly bodyBytes: number;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly system: {
    readonly messageId?: string | undefined;
    readonly correlationId?: string | undefined;
    readonly contentType?: string | undefined;
    readonly contentEncoding?: string | undefined;
    readonly userId?: string | undefined;
  };
}

/** Body, system property values, and the names and values of application properties. */
export function messageSize(message: IncomingMessage): number {
  let bytes = message.bodyBytes;
  for (const value of Object.values(message.system)) if (value !== undefined) bytes += textBytes(value);
  for (const [name, value] of Object.entries(message.properties)) bytes += textBytes(name) + textBytes(value);
  return bytes;
}

/** The error the hub answers with, or undefined when the message is in order. */
export function refusal(message: IncomingMessage): AmqpError | undefined {
  const bytes = messageSize(message);
  if (bytes > maxMessageBytes)
    return {
      condition: 'amqp:link:message-size-exceeded',
      description: `the message has ${bytes} bytes with its properties, the limit is ${maxMessageBytes}`,
    };
  for (const [name, value] of Object.entries(message.properties)) {
    const problem = propertyProblem(name, value);
    if (problem) return { condition: 'com.microsoft:argument-error', description: problem };
  }
  return undefined;
}

/**
 * What the documentation says of message ids and this one breaks. Whether the real hub holds AMQP devices to
 * it is not documented, so it is counted by default and refused only by a strict hub.
 */
export function messageIdProblem(messageId: string | undefined): string | undefined {
  if (messageId === undefined) return undefined;
  if (messageId.length > maxMessageIdLength)
    return `the message id has ${messageId.length} characters, the limit is ${maxMessageIdLength}`;
  if (!messageIdPattern.test(messageId))
    return `the message id ${messageId} has a character that is not allowed`;
  return undefined;
}

/** Printable US-ASCII, without separators (Microsoft's "Understand and invoke direct methods", the method's life cycle). */
export function methodNameProblem(name: string): string | undefined {
  return /^[!#%&'*+\-.0-9A-Z^_`a-z|~]+$/.test(name)
    ? undefined
    : `the method name ${JSON.stringify(name)} has a character that is not allowed`;
}

function propertyProblem(name: string, value: unknown): string | undefined {
  if (name === '') return 'a property has an empty name';
  if (!asciiPattern.test(name)) return `the property name ${name} is not ASCII`;
  if (value !== null && !['string', 'number', 'boolean', 'bigint'].includes(typeof value))
    return `the property ${name} has a value that is not a string`;
  if (!asciiPattern.test(String(value))) return `the value of property ${name} is not ASCII`;
  return undefined;
}

function textBytes(value: unknown): number {
  return value === null || value === undefined ? 0 : Buffer.byteLength(String(value));
}
