// The schema of serial sources, as a site writes them into its configuration.
import { z } from 'zod';
import { checkSource } from './config-checks.ts';
import * as shape from './config-shapes.ts';

export const serialSourceSchema = z.strictObject(shape.source).superRefine(checkSource);

export type SerialSourceConfig = z.infer<typeof serialSourceSchema>;
export type SerialTagConfig = SerialSourceConfig['tags'][number];
export type FramingConfig = SerialSourceConfig['framing'];
export type FieldsConfig = SerialSourceConfig['fields'];
export type StampConfig = NonNullable<SerialSourceConfig['stamp']>;
export type HistoryConfig = NonNullable<SerialSourceConfig['history']>;
export type PollConfig = NonNullable<SerialSourceConfig['poll']>;
