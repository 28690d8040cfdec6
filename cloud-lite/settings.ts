// Settings come from the environment alone, as containers are configured. Read once, all errors at once.
import { hostname } from 'node:os';
import { z } from 'zod';
import { durationMs } from '../kernel/duration-text.ts';
import { HoldfastError } from '../kernel/errors.ts';
import { defaultBounds } from './ingest/plausible.ts';
import { type HubConnection, parseHubConnection } from './repair/connection-string.ts';

const milliseconds = (standard: number, min: number, max = 30 * 86_400_000) =>
  z.preprocess(
    (given) => (typeof given === 'string' ? (durationMs(given) ?? given) : given),
    z.coerce.number().int().min(min).max(max).default(standard),
  );
const tenYearsMs = 10 * 365 * 86_400_000;
const count = (standard: number, max: number) => z.coerce.number().int().min(1).max(max).default(standard);
const optionalText = z.string().optional();
const hostName = z.string().regex(/^[\w.-]+(:\d+)?$/, { error: 'must be a host name' });

const schema = z.object({
  /** Either this, or the namespace and the name with an Entra ID identity. */
  HOLDFAST_EVENTHUB_CONNECTION: z
    .string()
    .regex(/^Endpoint=sb:\/\/.+;EntityPath=.+/, {
      error: 'must look like Endpoint=sb://..;SharedAccessKeyName=..;SharedAccessKey=..;EntityPath=..',
    })
    .optional(),
  HOLDFAST_EVENTHUB_NAMESPACE: hostName.optional(),
  HOLDFAST_EVENTHUB_NAME: optionalText,
  HOLDFAST_EVENTHUB_CONSUMER_GROUP: z.string().default('$Default'),
  /** Either this, or the host name with an Entra ID identity. */
  HOLDFAST_HUB_CONNECTION: z
    .string()
    .transform((text, context): HubConnection => {
      try {
        return parseHubConnection(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    })
    .optional(),
  HOLDFAST_HUB_HOSTNAME: hostName.optional(),
  DATABASE_URL: optionalText.refine((url) => url === undefined || /^postgres(ql)?:\/\//.test(url), {
    error: 'must begin with postgres:// or postgresql://',
  }),
  HOLDFAST_DATA_FOLDER: z.string().default('./data'),
  HOLDFAST_INSTANCE: z.string().max(200).default(hostname()),
  HOLDFAST_HTTP_HOST: z.string().default('127.0.0.1'),
  HOLDFAST_HTTP_PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  HOLDFAST_API_TOKEN: optionalText.refine((token) => token === undefined || token.length >= 16, {
    error: 'must have 16 characters or more',
  }),
  HOLDFAST_DASHBOARD_FOLDER: optionalText,
  HOLDFAST_DETECTION_DELAY_MS: milliseconds(30_000, 0),
  HOLDFAST_SWEEP_INTERVAL_MS: milliseconds(5000, 50, 600_000),
  HOLDFAST_REQUEST_EXPIRY_MS: milliseconds(10_800_000, 1000),
  HOLDFAST_REQUEST_ATTEMPTS: count(5, 1000),
  HOLDFAST_REQUEST_RETRY_MS: milliseconds(30_000, 100, 3_600_000),
  HOLDFAST_REQUEST_MAX_MS: milliseconds(3_600_000, 1000),
  HOLDFAST_REQUEST_MAX_RECORDS: count(100_000, Number.MAX_SAFE_INTEGER),
  HOLDFAST_REQUESTS_PER_DEVICE: count(8, 1000),
  HOLDFAST_REQUESTS_ACTIVE: count(256, 100_000),
  HOLDFAST_SILENCE_MS: milliseconds(300_000, 1000),
  HOLDFAST_LASTING_MS: milliseconds(3_600_000, 1000),
  /** The module's name on all gateways, for reading its twins. */
  HOLDFAST_GATEWAY_MODULE: z
    .string()
    .regex(/^[\w\-:.+%#*?!(),=@;$']{1,128}$/, { error: 'must be a module id' })
    .default('holdfast'),
  HOLDFAST_TWINS_INTERVAL_MS: milliseconds(60_000, 500, 86_400_000),
  HOLDFAST_TWINS_PAUSE_MS: milliseconds(4000, 0, 60_000),
  HOLDFAST_HISTORY_MS: milliseconds(90 * 86_400_000, 3_600_000, tenYearsMs),
  HOLDFAST_ALERT_WEBHOOK: optionalText.refine((url) => url === undefined || /^https?:\/\//.test(url), {
    error: 'must begin with http:// or https://',
  }),
  HOLDFAST_EARLIEST_TIME: z.iso
    .datetime({ offset: true })
    .default('2020-01-01T00:00:00Z')
    .transform((text) => Date.parse(text)),
  HOLDFAST_MAX_AHEAD_MS: milliseconds(defaultBounds.maxAheadMs, 0, tenYearsMs),
  HOLDFAST_MAX_AGE_MS: milliseconds(defaultBounds.maxAgeMs, 3_600_000, tenYearsMs),
  HOLDFAST_MAX_WINDOW_MS: milliseconds(defaultBounds.maxWidth.time, 60_000, tenYearsMs),
  HOLDFAST_MAX_WINDOW_RECORDS: count(defaultBounds.maxWidth.sequence, Number.MAX_SAFE_INTEGER),
  HOLDFAST_MAX_JUMP_RECORDS: count(defaultBounds.maxJump, Number.MAX_SAFE_INTEGER),
  HOLDFAST_BALANCE_INTERVAL_MS: milliseconds(5000, 100, 600_000),
  HOLDFAST_OWNERSHIP_MS: milliseconds(30_000, 1000, 600_000),
  HOLDFAST_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
});

export type Settings = z.infer<typeof schema>;

/** @throws HoldfastError `settings-invalid`, its message naming every variable that is wrong. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  // An empty variable is how deployment tools say "not set".
  const set = Object.fromEntries(Object.entries(environment).filter(([, text]) => text !== ''));
  const result = schema.safeParse(set);
  const problems = [
    ...missing(set),
    ...(result.error?.issues ?? []).map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  ];
  if (result.success && problems.length === 0) return result.data;
  throw new HoldfastError('settings-invalid', `the environment is not right:\n  ${problems.join('\n  ')}`);
}

function missing(set: Readonly<Record<string, string | undefined>>): readonly string[] {
  const problems: string[] = [];
  if (!set.HOLDFAST_EVENTHUB_CONNECTION && !(set.HOLDFAST_EVENTHUB_NAMESPACE && set.HOLDFAST_EVENTHUB_NAME)) {
    problems.push(
      "HOLDFAST_EVENTHUB_CONNECTION: is needed, from the hub's built-in endpoint; or HOLDFAST_EVENTHUB_NAMESPACE and HOLDFAST_EVENTHUB_NAME to use an Entra ID identity",
    );
  }
  if (!set.HOLDFAST_HUB_CONNECTION && !set.HOLDFAST_HUB_HOSTNAME) {
    problems.push(
      "HOLDFAST_HUB_CONNECTION: is needed, from the hub's service policy; or HOLDFAST_HUB_HOSTNAME to use an Entra ID identity",
    );
  }
  return problems;
}
