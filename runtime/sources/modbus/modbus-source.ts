import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import type { Source } from '../source.ts';
import type { ModbusTcpSourceConfig } from './config.ts';

export interface ModbusSourceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export function createModbusSource(_config: ModbusTcpSourceConfig, _deps: ModbusSourceDeps): Source {
  throw new Error('not built yet');
}
