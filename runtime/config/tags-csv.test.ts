import { describe, expect, it } from 'vitest';
import { type CellKind, tagColumns } from './tag-columns.ts';
import { parseTagTable as parse } from './tags-csv.ts';

const modbus = tagColumns('modbus-tcp');
const parseTagTable = (text: string) => parse(text, modbus);

describe('a table of tags', () => {
  it('holds what YAML would have held, whatever the spreadsheet puts between its cells', () => {
    const expected = [
      { name: 'flow, main', address: 10, type: 'float32', scale: 0.1, names: undefined, writable: true },
      { name: 'mode', table: 'input', address: 0x20, type: 'uint16', names: { 0: 'off', 1: 'on = run' } },
    ].map((tag) => JSON.parse(JSON.stringify(tag)));
    const comma = `\uFEFFname,table,Address,TYPE,scale,names,writable\r\n"flow, main",,10,float32,0.1,,yes\r\nmode,input,0x20,uint16,,0=off|1=on = run,\r\n`;
    const semicolon = `# by Excel\nname;table;address;type;scale;names;writable\n"flow, main";;10;float32;0,1;;true\n;;;;;;\nmode;input;0x20;uint16;;0=off|1=on = run;\n`;
    const tab = comma.replace('"flow, main"', 'flow; main').replaceAll(',', '\t').replace(';', ',');
    for (const text of [comma, semicolon, tab]) {
      const { tags, problems } = parseTagTable(text);
      expect(problems).toEqual([]);
      expect(tags).toEqual(expected);
    }
  });

  it('says where each setting stands, also after cells that go over several lines', () => {
    const table = parseTagTable('name,address,type\n"two\nlines",1,int16\nb,  2,int16\n');
    expect(table.tags.map(({ name }) => name)).toEqual(['two\nlines', 'b']);
    expect(table.place(0, 'address')).toBe('line 2, column 8 (address)');
    expect(table.place(1, 'address')).toBe('line 4, column 3 (address)');
    expect(table.place(1, undefined)).toBe('line 4');
    expect(table.place(1, 'scale')).toBe('line 4 (scale)');
  });

  it('leaves a text that is no number to the schema, rather than read it as something near', () => {
    const { tags } = parseTagTable('name,address,scale\na,40001x,1;5\n');
    expect(tags).toEqual([{ name: 'a', address: '40001x', scale: '1;5' }]);
  });

  it.each([
    ['an unknown column', 'name,adress\na,1\n', /line 1, column 6: 'adress' is no setting of a tag/],
    ['no column of names', 'address,type\n1,int16\n', /line 1: there is no column name/],
    ['a row that is too long', 'name,address\na,1,int16\n', /line 2, column 5: there are more cells/],
    ['an open quotation mark', 'name,address\n"a,1\nb,2\n', /line 2, column 1: this quotation mark/],
    ['nothing', '# only this\n', /it has no rows/],
  ])('names the place of %s', (_what, text, message) => {
    expect(parseTagTable(text).problems.join('\n')).toMatch(message);
  });

  it('lists a bounded number of problems of a file that is something else', () => {
    const noise = `name\n${Array(5000).fill('a,b,c').join('\n')}`;
    const { problems } = parseTagTable(noise);
    expect(problems).toHaveLength(51);
    expect(problems.at(-1)).toMatch(/and 9950 more/);
  });

  it('has the columns that the schema has: settings within settings, lists, and those of one type of source', () => {
    expect(modbus.get('address')).toBe('number');
    expect(modbus.get('names')).toBe('names');
    expect(modbus.get('writable')).toBe('flag');
    expect(modbus.get('type')).toBe('text');
    const known = new Map<string, CellKind>([
      ['name', 'text'],
      ['deadband.kind', 'text'],
      ['deadband.value', 'number'],
      ['columns', 'numbers'],
      ['path', 'list'],
    ]);
    const text = 'name;deadband.kind;deadband.value;columns;path\na;percent;0,5;1|2;x | y\nb;;;;\n';
    const { tags, problems, place } = parse(text, known);
    expect(problems).toEqual([]);
    expect(tags).toEqual([
      { name: 'a', deadband: { kind: 'percent', value: 0.5 }, columns: [1, 2], path: ['x', 'y'] },
      { name: 'b' },
    ]);
    expect(place(0, 'deadband.value')).toBe('line 2, column 11 (deadband.value)');
    expect(place(0, 'columns.0')).toBe('line 2, column 15 (columns.0)');
    expect(tagColumns('no such type').has('address')).toBe(true);
  });

  it('is for every type of source, each with its own columns', () => {
    expect(tagColumns('serial').get('column')).toBe('number');
    expect(tagColumns('serial').get('write.command')).toBe('text');
    expect(tagColumns('opcua').get('node')).toBe('text');
    expect(tagColumns('module-input').get('path')).toBe('text');
    expect(tagColumns('module-input').has('address')).toBe(false);
  });
});
