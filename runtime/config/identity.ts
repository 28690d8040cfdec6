// The module's identity in the cloud. Secrets come from the environment or a file that it names, never from the
// configuration, which may be shown, logged and kept.
import { describeError } from '../../kernel/errors.ts';
import { readNamedFile } from '../../kernel/small-file.ts';
import { ConfigError } from './config-error.ts';

export type Identity =
  | { readonly kind: 'connection-string'; readonly connectionString: string }
  | { readonly kind: 'iot-edge' };

// A connection string has some 200.
const maxSecretBytes = 64 * 1024;

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws ConfigError that says which variables to set. */
export async function readIdentity(environment: Environment): Promise<Identity> {
  const text =
    environment.HOLDFAST_CONNECTION_STRING ??
    (await readSecretFile(environment.HOLDFAST_CONNECTION_STRING_FILE, 'HOLDFAST_CONNECTION_STRING_FILE'));
  if (text !== undefined) return { kind: 'connection-string', connectionString: checked(text.trim()) };
  if (environment.IOTEDGE_WORKLOADURI) return { kind: 'iot-edge' };
  throw problem(
    'no identity: run the module under IoT Edge, set HOLDFAST_CONNECTION_STRING or HOLDFAST_CONNECTION_STRING_FILE, or run it without a hub (--stdout)',
  );
}

/**
 * What the module is called in the cloud, `device/module` (`device/` for a device of its own), and what it was called before
 * (`HOLDFAST_FORMER_IDENTITY`). Empty where the environment does not say.
 */
export function namesOf(identity: Identity, environment: Environment): readonly string[] {
  const name = nameOf(identity, environment);
  const former = environment.HOLDFAST_FORMER_IDENTITY?.trim();
  if (name === undefined) return [];
  return former ? [name, former] : [name];
}

function nameOf(identity: Identity, environment: Environment): string | undefined {
  if (identity.kind === 'iot-edge') {
    const { IOTEDGE_DEVICEID: device, IOTEDGE_MODULEID: module } = environment;
    return device && module ? `${device}/${module}` : undefined;
  }
  const parts = identity.connectionString.split(';').map((part) => part.trim());
  const field = (of: string) => parts.find((part) => part.startsWith(`${of}=`))?.slice(of.length + 1);
  return `${field('DeviceId')}/${field('ModuleId') ?? ''}`;
}

async function readSecretFile(file: string | undefined, variable: string): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return (await readNamedFile(file, maxSecretBytes)).toString('utf8');
  } catch (cause) {
    throw problem(`${variable} cannot be read: ${describeError(cause)}`);
  }
}

/** Names the part that is missing, and never repeats the text: it may hold the key. */
function checked(text: string): string {
  const fields = new Set(text.split(';').map((part) => part.slice(0, Math.max(0, part.indexOf('='))).trim()));
  const missing = ['HostName', 'DeviceId', 'SharedAccessKey'].filter((field) => !fields.has(field));
  if (missing.length > 0) {
    throw problem(
      `the connection string lacks ${missing.join(', ')}: copy the module's or device's own from IoT Hub`,
    );
  }
  return text;
}

const leastTokenChars = 16;

/** The token that gives access to the status from outside of the gateway; undefined where none is set. @throws ConfigError. */
export async function readStatusToken(environment: Environment): Promise<string | undefined> {
  const { HOLDFAST_STATUS_TOKEN: given, HOLDFAST_STATUS_TOKEN_FILE: file } = environment;
  const token = (given || (await readSecretFile(file, 'HOLDFAST_STATUS_TOKEN_FILE')))?.trim();
  if (token === undefined) return undefined;
  // As a header of HTTP can carry it.
  if (token.length < leastTokenChars || !/^[\x21-\x7e]+$/.test(token)) {
    throw problem(
      `the status token must be ${leastTokenChars} or more characters of ASCII without spaces: openssl rand -hex 16`,
    );
  }
  return token;
}

function problem(message: string): ConfigError {
  return new ConfigError('environment', [{ path: '', message }]);
}
