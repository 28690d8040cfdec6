// The settings of encryption at rest: whether it is on, and where its keys are.
import { z } from 'zod';

const aKey = /^(?:[0-9a-f]{64}|[A-Za-z0-9+/_-]{43}=?)$/i;
const notAKey = 'is a key itself: put it into a file or a variable and name that here';

/** Names the place of a key. No message about it may repeat what was written: it may be the key by mistake. */
const keySource = z
  .strictObject(
    {
      /** 32 bytes: as they are, as 64 hex digits, or in base64. */
      file: z
        .string()
        .min(1)
        .refine((path) => !aKey.test(path.trim()), { message: notAKey })
        .optional(),
      /** Name of an environment variable: 64 hex digits, or base64. */
      env: z
        .string()
        .regex(/^[A-Za-z_]\w{0,39}$/, { message: 'must be the name of a variable, at most 40 characters' })
        .optional(),
      /** A random key, wrapped by IoT Edge's workload API and kept beside the store. */
      workload: z.literal(true, { message: 'can only be true' }).optional(),
    },
    { error: 'must say where the key is: {file: PATH}, {env: NAME} or {workload: true}' },
  )
  .refine((source) => Object.values(source).filter((value) => value !== undefined).length === 1, {
    message: 'must name one place: file, env or workload',
  });

export const encryptionSchema = z
  .strictObject({
    /** The key that seals new records. Absent: new records are written plain, and `previousKeys` only open old ones. */
    key: keySource.optional(),
    /** Open what was sealed before. */
    previousKeys: z.array(keySource).max(8).default([]),
    /** How long a start waits for keys that cannot be had. */
    waitMs: z.int().min(0).max(86_400_000).default(60_000),
    /** After that: go on and write plain (or with a previous key), or wait for ever and record nothing. */
    withoutKey: z.enum(['go-on-plain', 'wait']).default('go-on-plain'),
  })
  .refine(({ key, previousKeys }) => key !== undefined || previousKeys.length > 0, {
    path: ['key'],
    message: 'is missing: name a key, or leave encryption out',
  });

export type EncryptionSettings = z.infer<typeof encryptionSchema>;
export type KeySource = z.infer<typeof keySource>;
