// The schemas of Modbus sources, as a site writes them into its configuration: one for each transport.
import { z } from 'zod';
import { checkHeader, checkHistory, checkSource, checkTag } from './config-checks.ts';
import * as shape from './config-shapes.ts';

const common = {
  ...shape.common.shape,
  tags: z
    .array(shape.tag.superRefine(checkTag))
    .min(1, 'must have at least one tag')
    .max(10_000, 'must be at most 10000 tags'),
  history: shape.history.superRefine(checkHistory).optional(),
};

export const modbusTcpSourceSchema = z
  .strictObject({ ...shape.tcp.shape, ...common })
  .superRefine(checkSource)
  .superRefine(checkHeader);
export const modbusRtuTcpSourceSchema = z
  .strictObject({ ...shape.rtuTcp.shape, ...common })
  .superRefine(checkSource);
export const modbusRtuSourceSchema = z
  .strictObject({ ...shape.rtu.shape, ...common })
  .superRefine(checkSource);

export type ModbusTcpSourceConfig = z.infer<typeof modbusTcpSourceSchema>;
export type ModbusRtuTcpSourceConfig = z.infer<typeof modbusRtuTcpSourceSchema>;
export type ModbusRtuSourceConfig = z.infer<typeof modbusRtuSourceSchema>;
export type ModbusSourceConfig = ModbusTcpSourceConfig | ModbusRtuTcpSourceConfig | ModbusRtuSourceConfig;
export type TagConfig = ModbusSourceConfig['tags'][number];
export type StampConfig = NonNullable<ModbusSourceConfig['stamp']>;
export type HistoryConfig = NonNullable<ModbusSourceConfig['history']>;
