// The settings for how far the gateway's clock is trusted.
import { z } from 'zod';

const mib = 1024 * 1024;

export const clockSchema = z
  .strictObject({
    /**
     * `plausible`: unless it is behind what was recorded before, or behind this version's release.
     * `synchronised`: once it was seen to be set since the machine started, or `synchronisedFile` exists.
     * `always`: whatever it says.
     */
    trust: z.enum(['plausible', 'synchronised', 'always']).default('plausible'),
    /** Exists once the machine's clock is synchronised, such as /run/systemd/timesync/synchronized. */
    synchronisedFile: z.string().min(1).optional(),
    /**
     * How long a clock waits to be set that says the machine was off for less than two minutes: that is also what
     * a clock says that was put back to where it stood at the last stop. 0: it is trusted at once.
     */
    confirmMs: z.int().min(0).max(3_600_000).default(60_000),
    /** A smaller step is made up for without a break; a larger one ends the window. */
    slewMs: z.int().min(50).max(60_000).default(2000),
    /** What is done when the clock does not come right within `policyAfterMs`. */
    policy: z.enum(['go-on-marked', 'hold']).default('go-on-marked'),
    policyAfterMs: z.int().min(0).max(604_800_000).default(900_000),
    /** Readings that wait for the clock, in memory and on disk. */
    provisionalMaxBytes: z
      .int()
      .min(64 * 1024)
      .max(64 * mib)
      .default(16 * mib),
  })
  .superRefine((clock, context) => {
    if (clock.synchronisedFile === undefined || clock.trust === 'synchronised') return;
    context.addIssue({
      code: 'custom',
      path: ['synchronisedFile'],
      message: `is only looked at with trust: synchronised, not with trust: ${clock.trust}`,
    });
  });

export type ClockSettings = z.infer<typeof clockSchema>;
