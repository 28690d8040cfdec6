// IoT Hub's shared access signatures:
// https://learn.microsoft.com/azure/iot-hub/authenticate-authorize-sas
import { createHmac } from 'node:crypto';
import type { HubConnection } from './connection-string.ts';

/** @param expiresAt epoch ms; the token carries whole seconds. */
export function makeSasToken(connection: HubConnection, expiresAt: number): string {
  // The resource is the host alone: a port is the way to it, not part of its name.
  const resource = encodeURIComponent(connection.hostName.replace(/:\d+$/, '').toLowerCase());
  const expiry = Math.floor(expiresAt / 1000);
  const signature = createHmac('sha256', Buffer.from(connection.key, 'base64'))
    .update(`${resource}\n${expiry}`)
    .digest('base64');
  const policy = encodeURIComponent(connection.keyName);
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=${policy}`;
}
