// What a module's twin says of its gateway. Whatever is in a twin was written by others: a field that is missing or of another
// shape is not known, and never taken for well. Pure.

export interface GatewayRecord {
  readonly deviceId: string;
  readonly moduleId: string;
  readonly reported: object;
  readonly reportedAt: number | null;
  readonly isConnected: boolean | null;
  readonly version: string | null;
  readonly configState: string | null;
  /** Hash of the wanted configuration. */
  readonly configHash: string | null;
  /** Hash of the running configuration. */
  readonly runningHash: string | null;
  /** For people, the first of each kind. */
  readonly problems: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

const maxText = 200;
/** What a twin's reported properties hold at most, as JSON, and room to spare. */
const maxReportedChars = 256 * 1024;
const idPattern = /^[A-Za-z0-9\-:.+%_#*?!(),=@;$']{1,128}$/;

/** Undefined for what is no module's twin. */
export function gatewayOf(twin: unknown): GatewayRecord | undefined {
  const { deviceId, moduleId, connectionState, properties } = fieldsOf(twin);
  if (!isId(deviceId) || !isId(moduleId)) return undefined;
  const { $metadata, $version: _, ...told } = fieldsOf(fieldsOf(properties).reported);
  const reported = JSON.stringify(told).length <= maxReportedChars ? told : {};
  const config = fieldsOf(reported.config);
  const configState = textOf(config.state);
  const hash = textOf(config.hash);
  const running = fieldsOf(config.running);
  return {
    deviceId,
    moduleId,
    reported,
    reportedAt: Object.keys(reported).length === 0 ? null : timeOf(fieldsOf($metadata).$lastUpdated),
    isConnected: connectionState === 'Connected' ? true : connectionState === 'Disconnected' ? false : null,
    version: textOf(reported.version),
    configState,
    configHash: hash,
    // Without another one that is told of, the one that `state` is about runs.
    runningHash: config.running === undefined ? (isRunning(configState) ? hash : null) : textOf(running.hash),
    problems: problemsOf(reported),
  };
}

const isRunning = (state: string | null) => state === 'applied' || state === 'trial' || state === 'last-good';

/** Tags of a device's twin: of the first level, values that are one thing. */
export function tagsOf(twin: unknown): Readonly<Record<string, string>> {
  const tags = Object.entries(fieldsOf(fieldsOf(twin).tags)).filter(
    ([, value]) => typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean',
  );
  return Object.fromEntries(tags.slice(0, 50).map(([name, value]) => [cut(name), cut(String(value))]));
}

export function deviceIdOf(twin: unknown): string | undefined {
  const { deviceId } = fieldsOf(twin);
  return isId(deviceId) ? deviceId : undefined;
}

function problemsOf(reported: Fields): readonly string[] {
  const problems: string[] = [];
  const { state: taken, errors } = fieldsOf(reported.config);
  if (taken === 'refused' || taken === 'reverted') {
    const { path, message } = fieldsOf(Array.isArray(errors) ? errors[0] : undefined);
    problems.push(
      `configuration ${taken}${typeof message === 'string' ? `: ${path ? `${path}: ` : ''}${message}` : ''}`,
    );
  }
  const { total, connected, list } = fieldsOf(reported.sources);
  if (typeof total === 'number' && typeof connected === 'number' && connected < total) {
    const troubled = (Array.isArray(list) ? list : [])
      .map(fieldsOf)
      .filter(({ state }) => state !== 'connected');
    const names = troubled.slice(0, 3).map(({ name, error }) => `${name}${error ? ` (${error})` : ''}`);
    problems.push(
      `${total - connected} of ${total} sources not connected${names.length > 0 ? `: ${names.join(', ')}` : ''}`,
    );
  }
  const { state, backpressure } = fieldsOf(reported.spool);
  if (typeof state === 'string' && state !== 'ok') problems.push(`the disk refuses: spool ${state}`);
  if (backpressure === true) problems.push('the spool is full');
  if (fieldsOf(reported.clock).trusted === false) problems.push('the clock is not trusted');
  if (fieldsOf(reported.starts).waiting === true)
    problems.push('it crashed again and again: its sources wait');
  const { waitingFor } = fieldsOf(reported.uplink);
  if (typeof waitingFor === 'string') problems.push(`not all is sent: ${waitingFor}`);
  return problems.map(cut);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && idPattern.test(value);
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? cut(value) : null;
}

function timeOf(value: unknown): number | null {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return at > 0 ? at : null;
}

const cut = (text: string) => text.slice(0, maxText);
