// A device profile: the settings of a family of devices, as data, so that a site only has to name the device's address.
import { z } from 'zod';

const record = z.record(z.string(), z.unknown());

export const profileSchema = z.strictObject({
  /** What it is for, in a few words. */
  title: z.string().max(200).optional(),
  /** Types of sources that it fits. */
  types: z.array(z.string()).min(1).optional(),
  /** Where it begins, of registers: addresses of its tags count from there. The site may say another place. */
  at: z.int().min(0).max(65_535).optional(),
  /** The SunSpec model that it is of, at its first register, with the lengths that this may have (default: any). */
  model: z
    .strictObject({
      id: z.int().min(1).max(65_534),
      lengths: z.array(z.int().min(1).max(65_535)).min(1).max(16).optional(),
    })
    .optional(),
  /** Settings of the source; the site's own come first. */
  settings: record.optional(),
  tags: z.array(record).min(1, 'must have at least one tag').max(10_000),
});

export type Profile = z.output<typeof profileSchema>;
