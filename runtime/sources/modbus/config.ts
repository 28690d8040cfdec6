// The schema of one Modbus TCP source, as a site writes it into its configuration.
import { z } from 'zod';
import { checkHistory, checkSource, checkTag } from './config-checks.ts';
import * as shape from './config-shapes.ts';

export const modbusTcpSourceSchema = z
  .strictObject({
    ...shape.source.shape,
    tags: z
      .array(shape.tag.superRefine(checkTag))
      .min(1, 'must have at least one tag')
      .max(10_000, 'must be at most 10000 tags'),
    history: shape.history.superRefine(checkHistory).optional(),
  })
  .superRefine(checkSource);

export type ModbusTcpSourceConfig = z.infer<typeof modbusTcpSourceSchema>;
export type TagConfig = ModbusTcpSourceConfig['tags'][number];
export type StampConfig = NonNullable<ModbusTcpSourceConfig['stamp']>;
export type HistoryConfig = NonNullable<ModbusTcpSourceConfig['history']>;
