// Meters: the register layout that many small energy meters share, and the telegrams of utility meters.
import type { Profile } from './profile.ts';

const float = (name: string, address: number): Profile['tags'][number] => ({
  name,
  table: 'input',
  address,
  type: 'float32',
});

/** As the Eastron SDM family has it, and many that follow it: floats in input registers. */
const energyMeter: Profile = {
  title: 'energy meter with floats in input registers (Eastron SDM and alike)',
  types: ['modbus-tcp', 'modbus-rtu', 'modbus-rtu-tcp'],
  settings: { maxRegisters: 80, maxHole: 40 },
  tags: [
    ...[1, 2, 3].map((phase) => float(`voltage-L${phase}`, 2 * (phase - 1))),
    ...[1, 2, 3].map((phase) => float(`current-L${phase}`, 6 + 2 * (phase - 1))),
    ...[1, 2, 3].map((phase) => float(`power-L${phase}`, 12 + 2 * (phase - 1))),
    float('power', 52),
    float('power-factor', 62),
    float('frequency', 70),
    float('energy-import', 72),
    float('energy-export', 74),
  ],
};

/** One line of a telegram, which may be missing: `1-0:1.8.1(000671.578*kWh)`. */
const cosem = (id: string, group: string, unit: string) =>
  `(?:.*?${id.replaceAll('.', '\\.')}\\((?<${group}>[0-9.]+)\\*${unit}\\))?`;

/** The telegram has its lines in this order. */
const p1Lines = [
  ['1-0:1.8.1', 'import1', 'kWh', 'energy-import-1'],
  ['1-0:1.8.2', 'import2', 'kWh', 'energy-import-2'],
  ['1-0:2.8.1', 'export1', 'kWh', 'energy-export-1'],
  ['1-0:2.8.2', 'export2', 'kWh', 'energy-export-2'],
  ['1-0:1.7.0', 'import', 'kW', 'power-import'],
  ['1-0:2.7.0', 'export', 'kW', 'power-export'],
  ['1-0:32.7.0', 'u1', 'V', 'voltage-L1'],
  ['1-0:52.7.0', 'u2', 'V', 'voltage-L2'],
  ['1-0:72.7.0', 'u3', 'V', 'voltage-L3'],
  ['1-0:31.7.0', 'i1', 'A', 'current-L1'],
  ['1-0:51.7.0', 'i2', 'A', 'current-L2'],
  ['1-0:71.7.0', 'i3', 'A', 'current-L3'],
] as const;

/** DSMR 4 and 5, P1 companion standard 5.0.2, chapter 6: a telegram from `/` to `!` and a CRC of four digits. */
const dsmrP1: Profile = {
  title: 'Dutch and Belgian smart meters, port P1 (DSMR 4 and 5)',
  types: ['serial'],
  settings: {
    baudRate: 115_200,
    expectEveryMs: 30_000,
    framing: { kind: 'start-end', start: '/', end: '!', trailer: 4, maxBytes: 4096 },
    checksum: { kind: 'crc16-arc', form: 'hex', at: -4, from: 0, to: -4 },
    between: '\\r\\n',
    fields: { pattern: `(?s)${p1Lines.map(([id, group, unit]) => cosem(id, group, unit)).join('')}` },
  },
  tags: p1Lines.map(([, group, , name]) => ({ name, group })),
};

/**
 * IEC 62056-21, modes A to C, read out at the speed of the sign-on: after `/?!` the meter says who it is, then, since nobody
 * asks for a higher speed, its data between STX and ETX with a block check.
 */
const iec62056: Profile = {
  title: 'utility meters with an optical head (IEC 62056-21)',
  types: ['serial'],
  settings: {
    baudRate: 300,
    dataBits: 7,
    parity: 'even',
    poll: { command: '/?!\\r\\n', everyMs: 900_000, timeoutMs: 60_000 },
    framing: { kind: 'start-end', start: '<STX>', end: '<ETX>', trailer: 1, maxBytes: 8192, gapMs: 3000 },
    checksum: { kind: 'xor', at: -1, from: 1, to: -1 },
    ignore: ['/'],
    fields: {
      pattern:
        '(?s)(?:.*?1\\.8\\.0(?:\\*\\d+)?\\((?<import>[0-9.]+)\\*kWh\\))?(?:.*?2\\.8\\.0(?:\\*\\d+)?\\((?<export>[0-9.]+)\\*kWh\\))?',
    },
  },
  tags: [
    { name: 'energy-import', group: 'import' },
    { name: 'energy-export', group: 'export' },
  ],
};

export const meterProfiles = {
  'energy-meter': energyMeter,
  'dsmr-p1': dsmrP1,
  'iec62056-21': iec62056,
} as const satisfies Readonly<Record<string, Profile>>;
