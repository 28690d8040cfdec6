// Settings come from the environment alone, as containers are configured. Read once, all errors at once.
import { hostname } from 'node:os';
import { z } from 'zod';
import { HoldfastError } from '../kernel/errors.ts';
import { type HubConnection, parseHubConnection } from './repair/connection-string.ts';

const milliseconds = (standard: number, min: number, max = 30 * 86_400_000) =>
  z.coerce.number().int().min(min).max(max).default(standard);

// An empty variable is how deployment tools say "not set".
const optionalText = z
  .string()
  .optional()
  .transform((text) => (text === '' ? undefined : text));

const schema = z.object({
  HOLDFAST_EVENTHUB_CONNECTION: z
    .string({ error: 'is required: the event hub compatible endpoint of the IoT hub' })
    .regex(/^Endpoint=sb:\/\/.+;EntityPath=.+/, {
      error: 'must look like Endpoint=sb://..;SharedAccessKeyName=..;SharedAccessKey=..;EntityPath=..',
    }),
  HOLDFAST_EVENTHUB_CONSUMER_GROUP: z.string().min(1).default('$Default'),
  HOLDFAST_HUB_CONNECTION: z
    .string({ error: "is required: the connection string of the hub's service policy" })
    .transform((text, context): HubConnection => {
      try {
        return parseHubConnection(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    }),
  DATABASE_URL: optionalText.refine((url) => url === undefined || /^postgres(ql)?:\/\//.test(url), {
    error: 'must begin with postgres:// or postgresql://',
  }),
  HOLDFAST_DATA_FOLDER: z.string().min(1).default('./data'),
  HOLDFAST_INSTANCE: z.string().min(1).max(200).default(hostname()),
  HOLDFAST_HTTP_HOST: z.string().min(1).default('127.0.0.1'),
  HOLDFAST_HTTP_PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  HOLDFAST_API_TOKEN: optionalText.refine((token) => token === undefined || token.length >= 16, {
    error: 'must have 16 characters or more',
  }),
  HOLDFAST_DASHBOARD_FOLDER: optionalText,
  HOLDFAST_DETECTION_DELAY_MS: milliseconds(30_000, 0),
  HOLDFAST_SWEEP_INTERVAL_MS: milliseconds(5000, 50, 600_000),
  HOLDFAST_REQUEST_EXPIRY_MS: milliseconds(10_800_000, 1000),
  HOLDFAST_REQUEST_ATTEMPTS: z.coerce.number().int().min(1).max(1000).default(5),
  HOLDFAST_REQUEST_MAX_MS: milliseconds(3_600_000, 1000),
  HOLDFAST_REQUEST_MAX_RECORDS: z.coerce.number().int().min(1).default(100_000),
  HOLDFAST_REQUESTS_PER_DEVICE: z.coerce.number().int().min(1).max(1000).default(8),
  HOLDFAST_REQUESTS_ACTIVE: z.coerce.number().int().min(1).max(100_000).default(256),
  HOLDFAST_SILENCE_MS: milliseconds(300_000, 1000),
  HOLDFAST_HISTORY_MS: milliseconds(90 * 86_400_000, 3_600_000, 10 * 365 * 86_400_000),
  HOLDFAST_ALERT_WEBHOOK: optionalText.refine((url) => url === undefined || /^https?:\/\//.test(url), {
    error: 'must begin with http:// or https://',
  }),
  HOLDFAST_EARLIEST_TIME: z.iso
    .datetime({ offset: true })
    .default('2000-01-01T00:00:00Z')
    .transform((text) => Date.parse(text)),
  HOLDFAST_MAX_AHEAD_MS: milliseconds(86_400_000, 0, 10 * 365 * 86_400_000),
  HOLDFAST_BALANCE_INTERVAL_MS: milliseconds(5000, 100, 600_000),
  HOLDFAST_OWNERSHIP_MS: milliseconds(30_000, 1000, 600_000),
  HOLDFAST_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
});

export type Settings = z.infer<typeof schema>;

/** @throws HoldfastError `settings-invalid`, its message naming every variable that is wrong. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const result = schema.safeParse(environment);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new HoldfastError('settings-invalid', `the environment is not right:\n${lines.join('\n')}`);
}
