// The registers of the simulated equipment. Addresses are those of the protocol (from 0), counts are registers of 16 bits.
// README.md in this folder shows the same map as a table.

/** Holding registers from 0, mirrored by the input registers: the newest sample. */
export const sampleBlock = {
  timestamp: 0,
  number: 4,
  temperature: 6,
  pressure: 8,
  flow: 10,
  energy: 12,
  status: 16,
  level: 17,
  label: 18,
  length: 26,
} as const;

/** Characters of the label: ASCII, padded with NUL. */
export const labelLength = 16;

/** `level` counts in tenths. */
export const levelScale = 0.1;

/** Bits of the status word; also coils and discrete inputs of the same numbers. */
export const statusBits = { running: 0, alarm: 1, door: 2 } as const;
export const statusBitCount = 16;

/** Coils from 16 on are commands: they can be written and keep what was written. */
export const commandCoils = { from: 16, count: 16 } as const;

/** Holding registers that can be written and keep what was written. */
export const setpoints = { from: 100, count: 16 } as const;

/** Holding registers that describe the event log. */
export const logDescriptor = {
  from: 1000,
  newest: 1000,
  oldest: 1002,
  capacity: 1004,
  recordLength: 1005,
  length: 6,
} as const;

export const recordRegisters = sampleBlock.length;
export const recordBytes = recordRegisters * 2;

/** First holding register of a log that is kept as a register ring. */
export const ringBase = 2000;
export const maxRingCapacity = Math.floor((65536 - ringBase) / recordRegisters);

/** File records: whole log records a file, so that none straddles two files. */
export const firstFile = 1;
export const recordsPerFile = 384;
export const registersPerFile = recordsPerFile * recordRegisters;
/** The descriptor states the capacity in one register. */
export const maxFileCapacity = 65535;

export type LogKind = 'ring' | 'file-records' | 'none';

/** Where record `number` of a register ring begins. */
export function ringAddress(number: number, capacity: number): number {
  return ringBase + (number % capacity) * recordRegisters;
}

/** Where record `number` of a log in files begins: the file, and the register offset inside it. */
export function filePosition(number: number, capacity: number): { file: number; offset: number } {
  const position = (number % capacity) * recordRegisters;
  return { file: firstFile + Math.floor(position / registersPerFile), offset: position % registersPerFile };
}
