// SunSpec information models (SunSpec Alliance, model definitions): addresses count from the register of the model's
// id. Which models a device has, and where, `holdfast probe --discover` finds out; what stands here is where most have them.
import type { Profile } from './profile.ts';

type Tag = Profile['tags'][number];

const types = ['modbus-tcp', 'modbus-rtu', 'modbus-rtu-tcp'];
/** A model is read in one piece: its holes are registers of its own. */
const settings = { maxHole: 124 };

const text = (name: string, address: number, registers: number): Tag => ({
  name,
  address,
  type: 'string',
  length: 2 * registers,
  invalid: 'sunspec',
});
const number = (name: string, address: number, type: string, scaleFrom?: number): Tag => ({
  name,
  address,
  type,
  invalid: 'sunspec',
  ...(scaleFrom !== undefined && { scaleFrom }),
});
const names = (name: string, address: number, words: Readonly<Record<string, string>>): Tag => ({
  name,
  address,
  type: 'uint16',
  invalid: 'sunspec',
  names: words,
});

const common: Profile = {
  title: 'SunSpec model 1: who made the device',
  types,
  at: 40_002,
  model: { id: 1, lengths: [65, 66] },
  settings,
  tags: [
    text('manufacturer', 2, 16),
    text('model', 18, 16),
    text('options', 34, 8),
    text('version', 42, 8),
    text('serial-number', 50, 16),
  ],
};

const operatingStates = {
  1: 'off',
  2: 'sleeping',
  3: 'starting',
  4: 'mppt',
  5: 'throttled',
  6: 'shutting-down',
  7: 'fault',
  8: 'standby',
};

const phases = ['A', 'B', 'C'] as const;

/** Models 101, 102 and 103 differ in their phases alone. */
function inverter(id: number, count: 1 | 2 | 3): Profile {
  const own = phases.slice(0, count);
  return {
    title: `SunSpec model ${id}: inverter, ${['one phase', 'split phase', 'three phases'][count - 1]}`,
    types,
    at: 40_069,
    model: { id, lengths: [50] },
    settings,
    tags: [
      number('current', 2, 'uint16', 6),
      ...own.map((phase, at) => number(`current-${phase}`, 3 + at, 'uint16', 6)),
      ...own.map((phase, at) => number(`voltage-${phase}`, 10 + at, 'uint16', 13)),
      number('power', 14, 'int16', 15),
      number('frequency', 16, 'uint16', 17),
      number('apparent-power', 18, 'int16', 19),
      number('reactive-power', 20, 'int16', 21),
      number('power-factor', 22, 'int16', 23),
      number('energy', 24, 'uint32', 26),
      number('dc-current', 27, 'uint16', 28),
      number('dc-voltage', 29, 'uint16', 30),
      number('dc-power', 31, 'int16', 32),
      number('cabinet-temperature', 33, 'int16', 37),
      number('heat-sink-temperature', 34, 'int16', 37),
      names('state', 38, operatingStates),
      number('events', 40, 'uint32'),
    ],
  };
}

/** Of the multiple MPPT model: two inputs, which most have. */
const mppt: Profile = {
  title: 'SunSpec model 160: the inputs of an inverter',
  types,
  at: 40_121,
  model: { id: 160 },
  settings,
  tags: [10, 30].flatMap((from, at): Tag[] => [
    number(`input-${at + 1}.current`, from + 9, 'uint16', 2),
    number(`input-${at + 1}.voltage`, from + 10, 'uint16', 3),
    number(`input-${at + 1}.power`, from + 11, 'uint16', 4),
    number(`input-${at + 1}.energy`, from + 12, 'uint32', 5),
    number(`input-${at + 1}.temperature`, from + 16, 'int16'),
    names(`input-${at + 1}.state`, from + 17, operatingStates),
  ]),
};

const battery: Profile = {
  title: 'SunSpec model 802: battery',
  types,
  at: 40_121,
  model: { id: 802, lengths: [62] },
  settings,
  tags: [
    number('rated-charge', 2, 'uint16', 52),
    number('rated-energy', 3, 'uint16', 53),
    number('state-of-charge', 11, 'uint16', 56),
    number('depth-of-discharge', 12, 'uint16', 57),
    number('state-of-health', 13, 'uint16', 58),
    number('cycles', 14, 'uint32'),
    names('charge-state', 16, {
      1: 'off',
      2: 'empty',
      3: 'discharging',
      4: 'charging',
      5: 'full',
      6: 'holding',
      7: 'testing',
    }),
    names('state', 22, {
      1: 'disconnected',
      2: 'initializing',
      3: 'connected',
      4: 'standby',
      5: 'soc-protection',
      6: 'suspending',
      99: 'fault',
    }),
    number('events', 26, 'uint32'),
    number('voltage', 34, 'uint16', 59),
    number('cell-voltage-max', 37, 'uint16', 60),
    number('cell-voltage-min', 40, 'uint16', 60),
    number('current', 44, 'int16', 61),
    number('power', 47, 'int16', 63),
  ],
};

export const sunSpecProfiles = {
  'sunspec-1': common,
  'sunspec-101': inverter(101, 1),
  'sunspec-102': inverter(102, 2),
  'sunspec-103': inverter(103, 3),
  'sunspec-160': mppt,
  'sunspec-802': battery,
} as const satisfies Readonly<Record<string, Profile>>;
