// The one schema of the configuration: what a site writes into its YAML file. Defaults stand here and
// nowhere else; docs/LIMITS.md says why the bounds are what they are.
import { z } from 'zod';
import {
  modbusRtuSourceSchema,
  modbusRtuTcpSourceSchema,
  modbusTcpSourceSchema,
} from '../sources/modbus/config.ts';
import { clockSchema } from '../time/config.ts';

const windows = z
  .strictObject({
    ageMs: z.int().min(100).max(3_600_000).default(10_000),
    quietMs: z.int().min(100).max(3_600_000).default(60_000),
    maxBytes: z
      .int()
      .min(1024)
      .max(16 * 1024 * 1024)
      .default(200 * 1024),
  })
  .refine((w) => w.quietMs >= w.ageMs, {
    path: ['quietMs'],
    message: 'must be at least ageMs: a quiet window is a window that may stay open longer',
  });

const spool = z.strictObject({
  commitIntervalMs: z.int().min(10).max(60_000).default(200),
});

const uplink = z.strictObject({
  transport: z.enum(['amqp', 'amqp-ws']).default('amqp'),
  body: z.enum(['columns/1', 'readings/1']).default('columns/1'),
  gzip: z.boolean().default(true),
  /** Longest wait for the acknowledgement of one message. */
  sendTimeoutMs: z.int().min(500).max(600_000).default(30_000),
});

const source = z.discriminatedUnion(
  'type',
  [modbusTcpSourceSchema, modbusRtuTcpSourceSchema, modbusRtuSourceSchema],
  {
    error: (issue) =>
      issue.code === 'invalid_union'
        ? 'unknown type of source; known: modbus-tcp, modbus-rtu-tcp, modbus-rtu'
        : undefined,
  },
);

export const configSchema = z
  .strictObject({
    dataFolder: z.string().min(1).default('/data/holdfast'),
    sources: z.array(source).max(1000).default([]),
    windows: windows.prefault({}),
    spool: spool.prefault({}),
    uplink: uplink.prefault({}),
    /** How far this gateway's clock is trusted. */
    clock: clockSchema.prefault({}),
    /** Serves status and health as JSON; absent: no listener at all. */
    statusPort: z.int().min(0).max(65_535).optional(),
    statusHost: z.string().min(1).default('127.0.0.1'),
    /** Lets the `skip` method lose windows on purpose. Never in production. */
    faultInjection: z.boolean().default(false),
    logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  })
  .superRefine((config, context) => {
    // One stream, one source: two sources on one batchId would claim each other's windows.
    const seen = new Map<string, number>();
    for (const [index, { name, batchId }] of config.sources.entries()) {
      const id = batchId ?? name;
      const first = seen.get(id);
      if (first === undefined) seen.set(id, index);
      else {
        context.addIssue({
          code: 'custom',
          path: ['sources', index, batchId === undefined ? 'name' : 'batchId'],
          message: `the stream id '${id}' is taken by sources[${first}]: each source needs its own`,
        });
      }
    }
  });

export type Config = z.infer<typeof configSchema>;
