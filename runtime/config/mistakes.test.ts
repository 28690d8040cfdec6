// Common configuration mistakes, with the exact text of their errors.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ConfigError } from './config-error.ts';
import { loadConfig } from './load.ts';

const folder = mkdtempSync(join(tmpdir(), 'mistakes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function said(text: string): Promise<readonly string[]> {
  const file = join(folder, 'site.yaml');
  writeFileSync(file, text);
  return loadConfig(file).then(
    () => ['accepted'],
    ({ message }: ConfigError) => message.split('\n  - ').slice(1),
  );
}

const source = (more: string, host = '10.0.0.5', type = 'modbus-tcp') =>
  `sources:\n  - name: press\n    type: ${type}\n    host: ${host}\n${more}`;
const tags = '    tags:\n      - {name: level, address: 6, type: int16}\n';
const tag = (settings: string) => source(`    tags:\n      - {name: level, ${settings}}\n`);
const rule = (outputs: string, query = 'SELECT level FROM press') =>
  source(`${tags}rules:\n  - {name: hot, query: '${query}', ${outputs}}\n`);
const opcua = (more: string) => `sources:\n  - {name: oven, type: opcua, ${more}}\n`;

const mistakes: readonly (readonly [what: string, text: string, ...said: string[]])[] = [
  [
    'a type misspelt',
    source(tags, '10.0.0.5', 'modbus-tpc'),
    "line 3, column 5: press: sources[0].type: must be one of modbus-tcp, modbus-rtu-tcp, modbus-rtu, serial, opcua, module-input; did you mean modbus-tcp? (here: 'modbus-tpc')",
  ],
  [
    'a setting misspelt',
    source(`    pollms: 1000\n${tags}`),
    'line 5, column 5: press: sources[0].pollms: unknown setting; did you mean pollMs?',
  ],
  [
    'a setting with underscores',
    source(`    poll_ms: 1000\n${tags}`),
    'line 5, column 5: press: sources[0].poll_ms: unknown setting; did you mean pollMs?',
  ],
  [
    'a required setting misspelt, which is not missing as well',
    tag('adress: 6, type: int16'),
    'line 6, column 23: press, tag level: sources[0].tags[0].adress: unknown setting; did you mean address?',
  ],
  [
    'an action of a rule misspelt, beside a query that is wrong',
    rule('outputs: {output: [{sned: control}]}', 'SELECT FROM press'),
    "line 8, column 17: rule hot: rules[0].query: line 1, column 8: 'FROM' stands where *, NOT, + or -, ~, a number, a text or 7 others should. FROM is a word of the language: write [FROM] where it is meant as a name.",
    'line 8, column 65: rule hot: rules[0].outputs.output[0].sned: unknown setting; did you mean send?',
  ],
  [
    'a tag of a write misspelt',
    rule('outputs: [{write: {source: press, tga: x}}]'),
    'line 8, column 62: rule hot: rules[0].outputs[0].write.value: is missing: it must be a number, true or false, text, or {field: NAME} of the row',
    'line 8, column 85: rule hot: rules[0].outputs[0].write.tga: unknown setting; did you mean tag?',
  ],
  [
    'a field of a write in the place of its value',
    rule('outputs: {output: [{write: {source: press, tag: t, field: a}}]}'),
    'line 8, column 71: rule hot: rules[0].outputs.output[0].write.value: is missing: it must be a number, true or false, text, or {field: NAME} of the row',
    'line 8, column 102: rule hot: rules[0].outputs.output[0].write.field: there is no such setting here: it belongs into rules[].outputs[].write.value',
  ],
  [
    'actions of no form that is known',
    rule('outputs: {output: [{post: x}, upsteam]}'),
    'line 8, column 70: rule hot: rules[0].outputs.output[0]: must be upstream, {send: OUTPUT} or {write: {source, tag, value}} (here: settings)',
    "line 8, column 81: rule hot: rules[0].outputs.output[1]: must be upstream, {send: OUTPUT} or {write: {source, tag, value}}; did you mean upstream? (here: 'upsteam')",
  ],
  [
    'outputs that are no list',
    rule('outputs: upstream'),
    "line 8, column 51: rule hot: rules[0].outputs: must be a list of actions, as [upstream], or such lists by the names after INTO, as {output: [upstream]} (here: 'upstream')",
  ],
  [
    'an action in the place of a list',
    rule('outputs: {output: {send: x}}'),
    'line 8, column 61: rule hot: rules[0].outputs.output: must be a list: [..], or lines that begin with a dash (here: settings)',
  ],
  [
    'outputs that are an empty list',
    rule('outputs: []'),
    'line 8, column 51: rule hot: rules[0].outputs: must name at least one action, as [upstream] (here: a list)',
  ],
  [
    'one source in the place of a list',
    'sources:\n  name: press\n  type: modbus-tcp\n',
    'line 1, column 1: sources: must be a list of sources, or a map of them by name, as {press: {type: ..}} (here: settings)',
  ],
  [
    'no sources',
    'sources:\n',
    'line 1, column 1: sources: must be a list of sources, or a map of them by name, as {press: {type: ..}} (here: nothing)',
  ],
  [
    'a setting in the wrong place',
    'sources: []\nageMs: 3\n',
    'line 2, column 1: ageMs: there is no such setting here: it belongs into windows',
  ],
  [
    'a setting of another type of source, at its own place there',
    opcua('endpoint: "opc.tcp://h:4840", unit: 1, tags: [{name: level, node: i=85, address: 6}]'),
    'line 2, column 61: oven: sources[0].unit: a source of type opcua has no such setting here; these have it: modbus-tcp, modbus-rtu-tcp, modbus-rtu',
    'line 2, column 103: oven, tag level: sources[0].tags[0].address: a source of type opcua has no such setting here; these have it: modbus-tcp, modbus-rtu-tcp, modbus-rtu',
  ],
  [
    'a setting that another type of source has elsewhere, too',
    source(`    everyMs: 1000\n${tags}`),
    'line 5, column 5: press: sources[0].everyMs: unknown setting; check its spelling and its place, or remove it',
  ],
  [
    'a setting of another kind',
    opcua(
      'endpoint: "opc.tcp://h:4840", tags: [], identity: {kind: user, name: a, passwordFile: /p, keyFile: /k}',
    ),
    'line 2, column 121: oven: sources[0].identity.keyFile: is for another kind; known here: kind, name, passwordFile, passwordEnvironment',
  ],
  [
    'a word for a number',
    source(`    pollMs: fast\n${tags}`),
    "line 5, column 5: press: sources[0].pollMs: must be a number of milliseconds, or a duration such as 1s, 5min or 7d (here: 'fast')",
  ],
  [
    'a duration in other words',
    source(`    pollMs: 1 sec\n${tags}`),
    "line 5, column 5: press: sources[0].pollMs: must be a number of milliseconds, or a duration such as 1s, 5min or 7d (here: '1 sec')",
  ],
  [
    'too small a duration',
    source(`    pollMs: 5\n${tags}`),
    'line 5, column 5: press: sources[0].pollMs: must be at least 10 ms (here: 5)',
  ],
  [
    'too long a duration',
    source(`    refusedRetryMs: 7d\n${tags}`),
    'line 5, column 5: press: sources[0].refusedRetryMs: must be at most 86400000 ms (1d) (here: 604800000)',
  ],
  [
    'a number in quotes',
    source(`    unit: '1'\n${tags}`),
    "line 5, column 5: press: sources[0].unit: must be a number (here: '1')",
  ],
  [
    'a unit that there is not',
    source(`    unit: 300\n${tags}`),
    'line 5, column 5: press: sources[0].unit: must be 0 to 255 (here: 300)',
  ],
  [
    'a port in the host',
    source(tags, '1.2.3.4:502'),
    'line 4, column 5: press: sources[0].host: must be a host alone: its port goes into port, a setting of its own',
  ],
  [
    'an address of the web for a host',
    source(tags, 'modbus://1.2.3.4'),
    'line 4, column 5: press: sources[0].host: must be a host name or an IP address alone: no ://, no path; the port goes into port',
  ],
  [
    'a variable that is not set',
    source(tags, '${HOST_OF_NOBODY}'),
    'line 4, column 5: press: sources[0].host: the variable HOST_OF_NOBODY is not set: set it, or give a default, as ${HOST_OF_NOBODY:-value}',
  ],
  [
    'a variable in small letters',
    source(tags, '${host}'),
    'line 4, column 5: press: sources[0].host: must be a host name or an IP address; the name of a variable is written in capitals',
  ],
  [
    'a secret as a variable',
    source(tags, '${MY_PASSWORD}'),
    'line 4, column 5: press: sources[0].host: ${MY_PASSWORD}: a secret does not belong into a configuration, where it would be shown and kept',
  ],
  [
    'an address out of a manual',
    tag('address: 400007, type: int16'),
    'line 6, column 23: press, tag level: sources[0].tags[0].address: must be a whole number from 0 to 65535; addresses count from 0 in each table, so that what a manual calls holding register 40007 is address 6 (here: 400007)',
  ],
  [
    'a type of value that there is not',
    tag('address: 6, type: int17'),
    "line 6, column 35: press, tag level: sources[0].tags[0].type: must be one of int16, uint16, int32, uint32, int64, uint64, float32, float64, bcd16, bcd32, bit, bool, string; did you mean int16? (here: 'int17')",
  ],
  [
    'no type of value',
    tag('address: 6'),
    'line 6, column 9: press, tag level: sources[0].tags[0].type: is missing: say how the registers are coded, for example int16 or float32',
  ],
  [
    'a decimal comma',
    tag('address: 6, type: int16, scale: "0,1"'),
    "line 6, column 48: press, tag level: sources[0].tags[0].scale: must be a number; write its decimals behind a point (here: '0,1')",
  ],
  [
    'a scale that makes all values the same',
    tag('address: 6, type: int16, scale: 0'),
    'line 6, column 48: press, tag level: sources[0].tags[0].scale: must not be 0: every value would be the same. In a table with commas between the cells write 0.1, not 0,1',
  ],
  [
    'one mistake in four tags, once',
    source(
      `    tags:\n${[6, 7, 8, 9].map((at) => `      - {name: t${at}, address: ${at}, typ: int16}\n`).join('')}`,
    ),
    'line 6, column 32: press, tag t6: sources[0].tags[0].typ: unknown setting; did you mean type? (4 times: also line 7, line 8, line 9)',
  ],
  [
    'no list of tags',
    source('    tags: level\n'),
    "line 5, column 5: press: sources[0].tags: must be a list: [..], or lines that begin with a dash (here: 'level')",
  ],
  [
    'no tags',
    source(''),
    'line 2, column 5: press: sources[0].tags: is missing: it must be a list: [..], or lines that begin with a dash',
  ],
  [
    'two tags of one name',
    source(`${tags}      - {name: level, address: 7, type: int16}\n`),
    "line 7, column 10: press, tag level: sources[0].tags[1].name: the name 'level' is taken by tags[0]: each tag needs its own",
  ],
  [
    'settings in place of a list',
    'sources:\n  name: press\n',
    'line 1, column 1: sources: must be a list of sources, or a map of them by name, as {press: {type: ..}} (here: settings)',
  ],
  [
    'a choice that there is not',
    'sources: []\nlogLevel: warning\n',
    "line 2, column 1: logLevel: must be one of debug, info, warn, error; did you mean warn? (here: 'warning')",
  ],
  [
    'a word for yes or no',
    'sources: []\nspool: {flashSaver: maybe}\n',
    "line 2, column 9: spool.flashSaver: must be true or false (here: 'maybe')",
  ],
  [
    'a secret',
    'sources: []\nuplink: {password: hunter2}\n',
    'line 2, column 10: uplink.password: a secret does not belong here, where it would be shown and kept: put it into the environment or a file',
  ],
  [
    'a tab',
    'sources:\n\t- name: x\n',
    'line 2, column 1: not valid YAML: there is a tab in the indentation: use spaces',
  ],
  [
    'a bracket that is not closed',
    'sources: [{\nlogLevel: info\n',
    'line 2, column 1: not valid YAML: a bracket [ or { above is not closed, or what stands in it is not indented. What comes behind it was not looked at',
  ],
  [
    'a variable that is not closed',
    source(tags, '"${HOST"'),
    'line 4, column 5: press: sources[0].host: the } behind the name of the variable is missing: write ${HOST}',
  ],
  [
    'a line indented otherwise',
    'sources:\n  - name: press\n   type: modbus-tcp\n',
    'line 3, column 1: not valid YAML: a colon, a comma, a bracket or a closing quotation mark is missing here, or a space behind a colon; or this line is indented otherwise than those that it belongs to',
  ],
  [
    'a setting twice',
    'sources: []\nsources: []\n',
    'line 2, column 1: not valid YAML: this name stands here twice: each setting must be unique',
  ],
  [
    'two colons in a line',
    source(tags, '10.0.0.5: 502'),
    'line 4, column 11: not valid YAML: there are two colons in this line: put the value in quotes, or the second setting on a line of its own',
  ],
  [
    'an open bracket',
    'sources: [\nwindows: {}\n',
    'line 2, column 1: not valid YAML: a bracket [ or { above is not closed, or what stands in it is not indented',
  ],
  ['text', 'just text', "must hold settings, as name: value (here: 'just text')"],
  [
    'an OPC UA server without opc.tcp',
    opcua("endpoint: '10.0.0.7:4840', tags: [{name: a, node: i=1}]"),
    'line 2, column 31: oven: sources[0].endpoint: must be the address of the server, as in "opc.tcp://10.0.0.7:4840" (here: \'10.0.0.7:4840\')',
  ],
  [
    'a node id without its kind',
    opcua("endpoint: 'opc.tcp://h:1', tags: [{name: a, node: Oven}]"),
    'line 2, column 75: oven, tag a: sources[0].tags[0].node: must be a node id such as "ns=2;s=Line1.Temperature", "ns=2;i=1001" or "nsu=http://maker.example/machine;s=Temperature" (here: \'Oven\')',
  ],
  [
    'a kind of identity misspelt',
    opcua("endpoint: 'opc.tcp://h:1', identity: {kind: usr}"),
    "line 2, column 69: oven: sources[0].identity.kind: must be anonymous, user or certificate; did you mean user? (here: 'usr')",
  ],
  [
    'certificate files that are not there',
    opcua(
      "endpoint: 'opc.tcp://h:1', identity: {kind: certificate, certificateFile: /no/c.pem, keyFile: /no/k.pem}",
    ),
    'line 2, column 88: oven: sources[0].identity.certificateFile: there is no such file: /no/c.pem',
    'line 2, column 116: oven: sources[0].identity.keyFile: there is no such file: /no/k.pem',
  ],
  [
    'a module input without its name',
    'sources:\n  - {name: s, type: module-input, tags: [{name: a}]}\n',
    'line 2, column 5: s: sources[0].input: is missing: it must be text',
    'line 2, column 42: s, tag a: sources[0].tags[0].path: is missing: it must be text',
  ],
  [
    'a number in the place of text',
    'sources:\n  - {name: s, type: module-input, input: 7, tags: [{name: a, path: a}]}\n',
    'line 2, column 35: s: sources[0].input: must be text: put it in quotes, since it looks like something else (here: 7)',
  ],
  [
    'a duration of a rule without its unit',
    `${source(tags)}rules:\n  - {name: hot, when: level > 5, for: 10, outputs: [upstream]}\n`,
    'line 8, column 34: rule hot: rules[0].for: must be a duration such as 500ms, 5s, 2min or 1h (here: 10)',
  ],
  [
    'a control character without its end',
    "sources:\n  - name: s\n    type: serial\n    path: /dev/serial/by-id/a\n    poll: {command: 'P<CR', everyMs: 1000}\n    fields: {pattern: '(?<w>[0-9]+)'}\n    tags: [{name: w}]\n",
    'line 5, column 12: s: sources[0].poll.command: has <CR without its >: write <CR>, or \\< for the character itself',
  ],
];

describe('a mistake is told with its place, its source and what would be right', () => {
  it.each(mistakes)('%s', async (_what, text, ...wanted) => {
    expect(await said(text)).toEqual(wanted);
  });

  it('and the file is named once, with the number of mistakes', async () => {
    const file = join(folder, 'two.yaml');
    writeFileSync(file, 'sources: []\nageMs: 1\nspol: {}\n');
    await expect(loadConfig(file)).rejects.toThrow(`${file}: 2 problems\n  - line 2, column 1: ageMs: `);
  });
});
