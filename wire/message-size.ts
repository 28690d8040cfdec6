// Sizes as IoT Hub counts them: the body, the values of the system properties, and the names and values of
// the application properties ("Create and read IoT Hub messages", Azure documentation).
import { maxRequestIdLength } from './limits.ts';
import type { WireMessage } from './mini-batch.ts';

export const contentType = 'application/json';
// ISO 8601 with seven fraction digits, the longest form that a hub writes.
const creationTimeBytes = 28;

/** The whole message in bytes, as IoT Hub counts. */
export function messageBytes(message: WireMessage): number {
  return message.body.length + headerBytes(message);
}

/** The message without its body. */
export function headerBytes(message: Omit<WireMessage, 'body'>): number {
  let bytes =
    message.messageId.length + contentType.length + message.contentEncoding.length + creationTimeBytes;
  for (const [name, value] of Object.entries(message.properties)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  return bytes;
}

/** What `markAsBackfill` may add later: room that every message keeps. */
export const markReserveBytes =
  'isBackfill'.length + 'true'.length + 'requestId'.length + maxRequestIdLength + '/b'.length;

/**
 * What hubs add on the way: device and module id, their authentication and generation, the time of arrival,
 * and the names of system properties, which edgeHub's own check counts and IoT Hub's does not.
 */
export const stampReserveBytes = 1024;
