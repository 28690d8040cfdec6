import { HoldfastError } from '../../kernel/errors.ts';

/** IoT Hub's service connection string: who to call, and with which key. */
export interface HubConnection {
  /** May carry a port: `localhost:8443`. */
  readonly hostName: string;
  readonly keyName: string;
  /** Base64. */
  readonly key: string;
}

/**
 * Reads `HostName=..;SharedAccessKeyName=..;SharedAccessKey=..`.
 * @throws HoldfastError `hub-bad-connection-string`; the message never holds the key.
 */
export function parseHubConnection(text: string): HubConnection {
  const fields = new Map<string, string>();
  for (const pair of text.split(';')) {
    const at = pair.indexOf('=');
    if (at > 0) fields.set(pair.slice(0, at).trim().toLowerCase(), pair.slice(at + 1).trim());
  }
  const wanted = ['HostName', 'SharedAccessKeyName', 'SharedAccessKey'];
  const missing = wanted.filter((name) => !fields.get(name.toLowerCase()));
  if (missing.length > 0) {
    throw new HoldfastError(
      'hub-bad-connection-string',
      `the hub's connection string lacks ${missing.join(', ')}; it is the service (or iothubowner) policy's, from the hub's shared access policies`,
    );
  }
  return {
    hostName: fields.get('hostname')!,
    keyName: fields.get('sharedaccesskeyname')!,
    key: fields.get('sharedaccesskey')!,
  };
}
