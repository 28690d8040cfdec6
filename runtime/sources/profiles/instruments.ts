// Scales, chargers and navigation: instruments on serial lines.
import type { Profile } from './profile.ts';

const types = ['serial'];

/** One line of a block, which may be missing. */
const field = (label: string, group: string, value = '-?[0-9]+') =>
  `(?:.*?\\r\\n${label}\\t(?<${group}>${value}))?`;

/**
 * Text blocks, once a second (VE.Direct protocol, version 3.33). Battery monitors say two, the second of history. Lines of its other
 * protocol may stand between them, and amid one.
 */
const veDirect: Profile = {
  title: 'Victron chargers and battery monitors, VE.Direct text protocol',
  types,
  settings: {
    baudRate: 19_200,
    expectEveryMs: 10_000,
    framing: {
      kind: 'start-end',
      start: ['\\r\\nPID\\t', '\\r\\nH1\\t'],
      end: '\\r\\nChecksum\\t',
      trailer: 1,
    },
    checksum: { kind: 'lrc', at: -1, from: 0, to: -1 },
    ignore: [':'],
    fields: {
      pattern: `(?s)${field('V', 'v')}${field('I', 'i')}${field('VPV', 'vpv')}${field('PPV', 'ppv')}${field('CS', 'cs')}${field('ERR', 'err')}${field('H19', 'h19')}${field('H20', 'h20')}${field('P', 'p')}${field('CE', 'ce')}${field('SOC', 'soc')}${field('TTG', 'ttg')}`,
    },
  },
  tags: [
    { name: 'battery-voltage', group: 'v', scale: 0.001 },
    { name: 'battery-current', group: 'i', scale: 0.001 },
    { name: 'battery-power', group: 'p' },
    { name: 'consumed', group: 'ce', scale: 0.001 },
    { name: 'state-of-charge', group: 'soc', scale: 0.1 },
    { name: 'time-to-go', group: 'ttg', invalid: { '-1': 'endless' } },
    { name: 'panel-voltage', group: 'vpv', scale: 0.001 },
    { name: 'panel-power', group: 'ppv' },
    {
      name: 'state',
      group: 'cs',
      names: { 0: 'off', 2: 'fault', 3: 'bulk', 4: 'absorption', 5: 'float', 7: 'equalize' },
    },
    { name: 'error', group: 'err' },
    { name: 'yield', group: 'h19', scale: 0.01 },
    { name: 'yield-today', group: 'h20', scale: 0.01 },
  ],
};

/** MT-SICS, level 0: `SI` is answered at once, stable or not. */
const mettlerSics: Profile = {
  title: 'Mettler Toledo balances, MT-SICS',
  types,
  settings: {
    baudRate: 9600,
    poll: { command: 'SI\\r\\n', everyMs: 1000, timeoutMs: 1000 },
    refusals: ['S I', 'ES', 'ET', 'EL'],
    fields: {
      pattern: ['^S (?<state>[SD]) +(?<weight>-?[0-9.]+) +(?<unit>\\S+)$', '^S (?<weight>[-+])$'],
    },
  },
  tags: [
    { name: 'weight', invalid: { '+': 'over-range', '-': 'under-range' } },
    { name: 'state', type: 'string', names: { S: 'stable', D: 'moving' } },
    { name: 'unit', type: 'string' },
  ],
};

/** SBI: ESC P is answered with 16 or 22 characters; without a unit the weight is not stable. */
const sartorius: Profile = {
  title: 'Sartorius balances, SBI',
  types,
  settings: {
    baudRate: 1200,
    dataBits: 7,
    parity: 'odd',
    poll: { command: '<ESC>P\\r\\n', everyMs: 1000, timeoutMs: 1000 },
    fields: {
      pattern: [
        '^(?:[A-Z# ].{5})?(?<weight>[-+ ] *[0-9]+(?:\\.[0-9]+)?) ?(?<unit>[a-zA-Z%]*) *$',
        '^(?:Stat +)?(?<weight>High|Low|OFF) *$',
      ],
    },
  },
  tags: [
    { name: 'weight', invalid: { High: 'over-range', Low: 'under-range', OFF: 'no-value' } },
    { name: 'unit', type: 'string' },
  ],
};

/** `w` is answered at once, stable or not. */
const kern: Profile = {
  title: 'Kern balances',
  types,
  settings: {
    baudRate: 9600,
    poll: { command: 'w\\r\\n', everyMs: 1000, timeoutMs: 1000 },
    fields: {
      pattern: [
        '^ *(?<weight>[-+]? *[0-9]+(?:\\.[0-9]+)?) *(?<unit>[a-zA-Z%]*) *$',
        '^ *(?<weight>Error) *$',
      ],
    },
  },
  tags: [
    { name: 'weight', invalid: { Error: 'over-range' } },
    { name: 'unit', type: 'string' },
  ],
};

/** A sentence of any talker (GP, GN, GL, WI), with what stands behind so many fields of no interest. */
const sentence = (name: string, skipped: number, rest: string) =>
  `^\\$[A-Z]{2}${name},(?:[^,]*,){${skipped}}${rest}`;
const noFix = 'no-fix';

/**
 * NMEA 0183: what a receiver says of its place, and a weather station of the wind. Others with a right sum are passed over. What
 * receivers go on to show without a fix is no value; nor is wind that is marked invalid.
 */
const nmea: Profile = {
  title: 'receivers and weather stations, NMEA 0183',
  types,
  settings: {
    baudRate: 4800,
    checksum: { kind: 'nmea' },
    fields: {
      pattern: [
        sentence('RMC', 1, '(?<speed>(?<course>V)),'),
        sentence('RMC', 6, '(?<speed>[^,]*),(?<course>[^,]*),'),
        `^\\$[A-Z]{2}GGA(?:,[^,]*){5}(?<altitude>,0?,)(?<satellites>[^,]*),`,
        sentence('GGA', 6, '(?<satellites>[^,]*),[^,]*,(?<altitude>[^,]*),'),
        sentence('MWV', 1, 'R,[^,]*,[^,]*,(?<angle>(?<wind>V))'),
        sentence('MWV', 1, 'T,[^,]*,[^,]*,(?<trueAngle>(?<trueWind>V))'),
        sentence('MWV', 0, '(?<angle>[^,]*),R,(?<wind>[^,]*),(?<unit>[A-Z])'),
        sentence('MWV', 0, '(?<trueAngle>[^,]*),T,(?<trueWind>[^,]*),(?<unit>[A-Z])'),
      ],
    },
  },
  tags: [
    { name: 'speed', invalid: { V: noFix } },
    { name: 'course', invalid: { V: noFix } },
    { name: 'satellites' },
    { name: 'altitude', invalid: { ',0,': noFix, ',,': noFix } },
    { name: 'wind-angle', group: 'angle', invalid: { V: 'invalid' } },
    { name: 'wind-speed', group: 'wind', invalid: { V: 'invalid' } },
    { name: 'true-wind-angle', group: 'trueAngle', invalid: { V: 'invalid' } },
    { name: 'true-wind-speed', group: 'trueWind', invalid: { V: 'invalid' } },
    {
      name: 'wind-unit',
      group: 'unit',
      type: 'string',
      names: { N: 'knots', M: 'm/s', K: 'km/h', S: 'mph' },
    },
  ],
};

export const instrumentProfiles = {
  've-direct': veDirect,
  'mettler-sics': mettlerSics,
  sartorius,
  kern,
  'nmea-0183': nmea,
} as const satisfies Readonly<Record<string, Profile>>;
