// The shapes of the configuration of one OPC UA source: one server, one session, one stream. Each message says what
// is wrong and what would be right; what spans several settings is checked in config.ts.
import { z } from 'zod';
import { hasSecret } from '../../../kernel/url-secrets.ts';
import { streamName, tagName, writeLimits } from '../settings.ts';

const dayMs = 86_400_000;
const file = z.string().min(1, 'must be the name of a file').max(1024);

/** As OPC 10000-6, 5.3.1.10 writes them; `nsu=` names the namespace itself, whatever its number is today. */
const nodeIdForm =
  /^(?:(?:ns=\d{1,5}|nsu=[^;]{1,512});)?(?:i=\d{1,10}|s=.{1,4096}|g=[0-9A-Fa-f-]{36}|b=.{1,4096})$/s;
export const nodeId = z
  .string()
  .regex(
    nodeIdForm,
    'must be a node id such as "ns=2;s=Line1.Temperature", "ns=2;i=1001" or "nsu=http://maker.example/machine;s=Temperature"',
  );

/** Browse names from the Objects folder on, each with the number of its namespace: `2:Line1/2:Temperature`. */
export const browsePath = z
  .string()
  .min(1)
  .max(2048)
  .regex(
    /^\/?(?:\d{1,5}:)?[^/]+(?:\/(?:\d{1,5}:)?[^/]+)*$/,
    'must be browse names from the Objects folder on, as in "2:Line1/2:Temperature"',
  );

const samplingMs = z
  .number()
  .min(0, 'must be at least 0 (as fast as the server can)')
  .max(dayMs, 'must be at most a day');
const queueSize = z.int().min(1, 'must be at least 1').max(100_000, 'must be at most 100000');

/** The monitoring settings of a value. */
const monitoring = {
  samplingMs: samplingMs.optional(),
  queueSize: queueSize.optional(),
  /** The server reports a number only when it differs by more than this from the last one that it reported. */
  deadband: z.number('must be a number').min(0, 'must be at least 0').optional(),
  /** `percent`: of the node's EURange (0 to 100). */
  deadbandType: z.enum(['absolute', 'percent'], 'must be absolute or percent').optional(),
  /** What makes the server report: another value or status, or also the same value with a new time. Default: value. */
  trigger: z.enum(['value', 'timestamp'], 'must be value or timestamp').optional(),
};

export const tag = z.strictObject({
  name: tagName,
  node: nodeId.optional(),
  path: browsePath.optional(),
  ...monitoring,
  writable: z.boolean('must be true or false').default(false),
  ...writeLimits,
});

export const folder = z.strictObject({
  node: nodeId.optional(),
  path: browsePath.optional(),
  /** Put before the browse names, which joined by dots are the tags' names. */
  prefix: z.string().max(64, 'must have at most 64 characters').default(''),
  maxTags: z.int().min(1).max(20_000, 'must be at most 20000').default(1000),
  maxDepth: z.int().min(1).max(32, 'must be at most 32').default(8),
  ...monitoring,
});

export const modes = ['best', 'None', 'Sign', 'SignAndEncrypt'] as const;
export const policies = ['Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'] as const;

const security = z.strictObject({
  /** `best`: the strongest that the server offers, with the policies below. */
  mode: z.enum(modes, `must be one of ${modes.join(', ')}`).default('best'),
  /** Only this one. Default: the strongest of the three that the server offers. */
  policy: z
    .enum(policies, `must be one of ${policies.join(', ')} (older ones are broken; None is a mode)`)
    .optional(),
});

const identity = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('anonymous') }),
    z.strictObject({
      kind: z.literal('user'),
      name: z.string().min(1, 'must not be empty').max(256),
      /** The secret itself stands in a file, or in the environment. */
      passwordFile: file.optional(),
      passwordEnvironment: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of an environment variable')
        .optional(),
    }),
    z.strictObject({
      kind: z.literal('certificate'),
      /** PEM or DER. */
      certificateFile: file,
      /** PEM. */
      keyFile: file,
    }),
  ],
  {
    error: (issue) => (issue.code === 'invalid_union' ? 'must be anonymous, user or certificate' : undefined),
  },
);

const history = z.strictObject({
  /** The first time that this stream is read, what the server remembers since then is asked for, too. */
  since: z.iso.datetime({ offset: true, error: 'must be a time such as "2026-01-31T00:00:00Z"' }).optional(),
  /** Values of one node that one request asks for at most. */
  valuesPerNode: z.int().min(1).max(10_000, 'must be at most 10000').default(1000),
  /**
   * The server may write a value into its history so much later than it has it. Waited for where nothing tells whether
   * it has: what came live and is there already shows that all before it is.
   */
  settleMs: z.int().min(0).max(86_400_000, 'must be at most a day').default(600_000),
});

const noSecret =
  'must be the address alone, since it is shown and kept: the user belongs into identity (kind: user, name), the password into the file that identity.passwordFile names, or the variable of identity.passwordEnvironment';

export const source = z.strictObject({
  type: z.literal('opcua'),
  ...streamName,
  endpoint: z
    .string()
    .max(1024)
    .superRefine((text, context) => {
      if (hasSecret(text)) context.addIssue({ code: 'custom', message: noSecret });
    })
    .regex(
      /^opc\.tcp:\/\/(?:\[[0-9a-fA-F:.]+\]|[^\s/:@[\]]+)(?::\d{1,5})?(?:\/\S*)?$/,
      'must be the address of the server, as in "opc.tcp://10.0.0.7:4840"',
    ),
  /** Of the server among those that `endpoint` knows of, where that is a discovery server. */
  applicationUri: z.string().min(1).max(1024).optional(),
  security: security.prefault({}),
  identity: identity.prefault({ kind: 'anonymous' }),
  /** How often the server sends what it has gathered. */
  publishMs: z
    .number()
    .min(10, 'must be at least 10 ms')
    .max(3_600_000, 'must be at most an hour')
    .default(1000),
  /** How often the server samples a value. Default: `publishMs`. */
  samplingMs: samplingMs.optional(),
  /** Values that the server keeps of one node between two messages. */
  queueSize: queueSize.default(20),
  trigger: z.enum(['value', 'timestamp'], 'must be value or timestamp').default('value'),
  /** The server says at least this often that it is there. */
  keepAliveMs: z
    .int()
    .min(100, 'must be at least 100 ms')
    .max(600_000, 'must be at most 600000 ms')
    .default(5000),
  /** Longest wait for an answer. */
  timeoutMs: z
    .int()
    .min(50, 'must be at least 50 ms')
    .max(60_000, 'must be at most 60000 ms')
    .default(10_000),
  /** Which of a value's times orders the stream: the equipment's, or when the server had it. */
  timestamp: z.enum(['source', 'server'], 'must be source or server').default('source'),
  /**
   * How much older than the message that brings it a value's time may be. Values are held back for so long, since the
   * stream is in order of time. Default: the slowest sampling interval that the server grants, and half a second.
   */
  latenessMs: z.int().min(0).max(3_600_000, 'must be at most an hour').optional(),
  /** The current value of each tag is reported when observation begins, however long ago it changed. */
  snapshots: z.boolean('must be true or false').default(true),
  tags: z.array(tag).max(20_000, 'must be at most 20000 tags').default([]),
  folders: z.array(folder).max(100, 'must be at most 100 folders').default([]),
  /** Present: the server's own history answers for what was missed. */
  history: history.optional(),
});

export type SourceShape = z.infer<typeof source>;
export type TagShape = z.infer<typeof tag>;
