// The load of a source that other modules send to: none on any bus. How often they send is not configured; one message a
// second is assumed, so that the load on the hub can be shown.

import { type SourceLoad, wanderNumber } from '../load.ts';
import type { ModuleInputConfig } from './config.ts';

const assumedMs = 1000;

export function loadOfModuleInput(source: ModuleInputConfig): SourceLoad {
  const { input, format, items, tags } = source;
  // Items that name their tags themselves: at least one is assumed.
  const names = tags?.map(({ name }) => name) ?? ['tag'];
  const shape =
    format === 'readings/1' ? 'readings/1' : items === undefined ? 'JSON' : `JSON, items in ${items}`;
  return {
    bus: `module input ${input}`,
    polls: [
      {
        pollMs: assumedMs,
        tags: names.length,
        requests: 0,
        blocks: tags?.map(({ name, path }) => `${name} from ${path}`) ?? [],
        how: `is sent messages (${shape}); ${names.length === 1 ? 'a reading' : `${names.length} readings`} each ${assumedMs} ms assumed`,
      },
    ],
    requestsPerSecond: 0,
    paces: [
      {
        periodMs: assumedMs,
        tags: names.map((name) => ({ name, wander: wanderNumber((raw) => raw, false) })),
      },
    ],
  };
}
