// Where the records of an event log lie, and which requests read them. Pure.
import type { HistoryConfig } from './config.ts';

/** One request: registers of a table (`file` undefined) or of a file. */
export interface SpanRequest {
  readonly file?: number;
  readonly address: number;
  readonly count: number;
}

export interface RecordPlaces {
  /** Records from number `first` on, at most `limit`, that lie behind one another: at least one. */
  contiguous(first: number, limit: number): number;
  /** Requests that read `count` contiguous records from number `first`, or `registers` from `offset` of one. */
  records(first: number, count: number): readonly SpanRequest[];
  part(record: number, offset: number, registers: number): readonly SpanRequest[];
  /** Records that one request holds; 0 where one record needs several. */
  readonly recordsPerRequest: number;
}

/** Record n has slot n mod capacity; slots follow each other in the ring, or in files of whole records. */
export function placeRecords(config: HistoryConfig, maxRegisters: number): RecordPlaces {
  const { capacity, recordRegisters: size } = config;
  const perFile = config.kind === 'ring' ? capacity : Math.floor(config.registersPerFile / size);
  const slotOf = (record: number) => ((record % capacity) + capacity) % capacity;
  const placeOf = (record: number): SpanRequest => {
    const slot = slotOf(record);
    if (config.kind === 'ring') return { address: config.base + slot * size, count: size };
    const file = config.firstFile + Math.floor(slot / perFile);
    return { file, address: (slot % perFile) * size, count: size };
  };
  const recordsPerRequest = Math.floor(maxRegisters / size);
  const split = (place: SpanRequest, registers: number, step: number): readonly SpanRequest[] =>
    Array.from({ length: Math.ceil(registers / step) }, (_, at) => ({
      ...place,
      address: place.address + at * step,
      count: Math.min(step, registers - at * step),
    }));
  return {
    recordsPerRequest,
    contiguous(first, limit) {
      const slot = slotOf(first);
      const end = Math.min(capacity, (Math.floor(slot / perFile) + 1) * perFile);
      return Math.max(1, Math.min(limit, end - slot));
    },
    records(first, count) {
      if (recordsPerRequest > 0) return split(placeOf(first), count * size, recordsPerRequest * size);
      return Array.from({ length: count }, (_, at) => split(placeOf(first + at), size, maxRegisters)).flat();
    },
    part(record, offset, registers) {
      const place = placeOf(record);
      return split({ ...place, address: place.address + offset }, registers, maxRegisters);
    },
  };
}
