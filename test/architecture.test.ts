// The rules of docs/ARCHITECTURE.md, checked against the code.
import { describe, expect, it } from 'vitest';
import { type ImportStatement, rawFileRead, readSourceTree, type SourceFile } from './support/source-tree.ts';

const files = readSourceTree();
const isTest = (path: string) =>
  /\.test\.tsx?$|\/testing\/|contract\.ts$|(^|\/)test-support|^test\//.test(path) ||
  path.endsWith('.bench.ts');
const shipped = files.filter((file) => !isTest(file.path) && !file.path.startsWith('lab/'));
const folderOf = (path: string) => path.split('/')[0]!;
const folderOfPath = (path: string) => path.split('/').slice(0, 2).join('/');

/** Lists `file -> target` for each import that a rule forbids: readable when it fails. */
function violations(
  of: readonly SourceFile[],
  forbidden: (file: SourceFile, imported: ImportStatement) => boolean,
): string[] {
  return of.flatMap((file) =>
    file.imports.filter((imported) => forbidden(file, imported)).map((i) => `${file.path} -> ${i.target}`),
  );
}

describe('the architecture', () => {
  it('is read at all: the tree has files and imports', () => {
    expect(files.length).toBeGreaterThan(10);
    expect(files.some((file) => file.imports.some((i) => i.ours))).toBe(true);
  });

  it('wire and kernel import nothing of ours', () => {
    const base = shipped.filter((file) => ['wire', 'kernel'].includes(folderOf(file.path)));
    // wire may raise the kernel's errors: the one base class that every error has.
    const allowed = (file: SourceFile, target: string) =>
      folderOf(target) === folderOf(file.path) ||
      (folderOf(file.path) === 'wire' && target === 'kernel/errors.ts');
    expect(violations(base, (file, i) => i.ours && !allowed(file, i.target))).toEqual([]);
  });

  it('the cloud never imports the runtime, nor the runtime the cloud, and nothing shipped imports the lab', () => {
    expect(
      violations(shipped, (file, i) => {
        if (!i.ours) return false;
        const [from, to] = [folderOf(file.path), folderOf(i.target)];
        if (to === 'lab' || to === 'test') return true;
        return (from === 'cloud-lite' && to === 'runtime') || (from === 'runtime' && to === 'cloud-lite');
      }),
    ).toEqual([]);
  });

  // Folders of the runtime know each other only through ports: files that declare types, imported as types.
  const runtimeFolders = [
    'sources',
    'windows',
    'spool',
    'uplink',
    'methods',
    'rules',
    'health',
    'config',
    'time',
  ].map((folder) => `runtime/${folder}`);
  const ports = new Set([
    'runtime/sources/adapter.ts',
    'runtime/sources/source.ts',
    'runtime/sources/continuation.ts',
    'runtime/sources/history-page.ts',
    'runtime/windows/window-store.ts',
    'runtime/uplink/uplink.ts',
    'runtime/uplink/lanes.ts',
    'runtime/methods/backfill-store.ts',
    'runtime/spool/encryption/key-wrapper.ts',
    'runtime/time/time-store.ts',
    'runtime/rules/rule-store.ts',
    'runtime/sources/tag-write.ts',
  ]);

  // The names of the lanes; and proofs, which only their makers make.
  const withValues = new Set(['runtime/uplink/lanes.ts', 'runtime/sources/continuation.ts']);

  it('folders of the runtime meet only at ports', () => {
    const inFolders = shipped.filter((file) => runtimeFolders.includes(folderOfPath(file.path)));
    expect(
      violations(inFolders, (file, i) => {
        if (!i.ours || !i.target.startsWith('runtime/') || folderOfPath(i.target) === folderOfPath(file.path))
          return false;
        // The one schema is composed of the schemas that adapters and other folders declare.
        if (
          folderOfPath(file.path) === 'runtime/config' &&
          /\/config\.ts$|^runtime\/adapters\.ts$/.test(i.target)
        )
          return false;
        return !(ports.has(i.target) && (i.typeOnly || withValues.has(i.target)));
      }),
    ).toEqual([]);
  });

  it('an adapter is one folder and one line of registration', () => {
    const adapterOf = (path: string) =>
      /^runtime\/sources\/([^/]+)\//.exec(path)?.[1] ??
      (path === 'runtime/adapters.ts' ? 'registration' : undefined);
    const folders = new Set(
      shipped.filter(({ path }) => path.endsWith('/adapter.ts')).map(({ path }) => adapterOf(path)),
    );
    folders.delete(undefined);
    expect(folders.size).toBeGreaterThan(3);
    expect(
      violations(shipped, (file, i) => {
        const adapter = adapterOf(i.target);
        if (adapter === undefined || !folders.has(adapter) || adapterOf(file.path) === adapter) return false;
        // Only OPC UA servers can be browsed.
        if (/^runtime\/cli\/browse/.test(file.path) && adapter === 'opcua') return false;
        return !(file.path === 'runtime/adapters.ts' && i.target.endsWith('/adapter.ts'));
      }),
    ).toEqual([]);
  });

  // From the ground up; what puts them together stands in the folder itself.
  const floors = 'engine format core encryption continuity lanes archive journal retention repair'.split(' ');

  it('a folder of the spool imports only those below it', () => {
    const floorOf = (path: string) => {
      const folder = /^runtime\/spool\/([^/]+)\//.exec(path)?.[1];
      return folder === undefined ? floors.length : floors.indexOf(folder);
    };
    const inSpool = shipped.filter(({ path }) => path.startsWith('runtime/spool/'));
    expect(inSpool.filter(({ path }) => floorOf(path) < 0).map(({ path }) => path)).toEqual([]);
    expect(
      violations(inSpool, (file, { target }) => {
        return target.startsWith('runtime/spool/') && floorOf(target) > floorOf(file.path);
      }),
    ).toEqual([]);
  });

  it('has no import cycles', () => {
    expect(findCycle(files)).toBeUndefined();
  });

  it('one file imports each driver library', () => {
    const drivers = [
      'azure-iot-device',
      'azure-iot-device-amqp',
      'azure-iot-common',
      'chevrotain',
      'classic-level',
      'level',
      'modbus-serial',
      'serialport',
      'node-opcua-client',
      '@azure/event-hubs',
      '@electric-sql/pglite',
      'pg',
      'pino',
      'prom-client',
      're2js',
      'uplot',
      'vite',
      'yaml',
    ];
    for (const folder of ['runtime', 'cloud-lite']) {
      for (const driver of drivers) {
        const importers = shipped.filter(
          (file) => folderOf(file.path) === folder && file.imports.some((i) => i.target === driver),
        );
        expect(importers.map((file) => file.path).slice(1), `importers of ${driver}`).toEqual([]);
      }
    }
  });

  it('raw time and randomness stand only in kernel/', () => {
    const raw =
      /\bDate\.now\b|\bnew Date\(\)|\bset(?:Timeout|Interval)\(|\bMath\.random\b|\bperformance\.now\b|\brandomUUID\b|\bAbortSignal\.timeout\b|node:timers/;
    const found = shipped
      // The status page's script runs in a browser.
      .filter(({ path }) => folderOf(path) !== 'kernel' && path !== 'runtime/health/status-page-script.ts')
      .flatMap((file) =>
        file.code
          .split('\n')
          .flatMap((line, index) => (raw.test(line) ? [`${file.path}:${index + 1}: ${line.trim()}`] : [])),
      );
    expect(found).toEqual([]);
  });

  // What stands at a path that somebody named may be a pipe, which never answers, or a device without end.
  it('files outside of the spool are read by kernel/small-file.ts alone', () => {
    const elsewhere = shipped
      .filter(({ path }) => path.startsWith('runtime/') && !path.startsWith('runtime/spool/'))
      .filter(({ code }) => rawFileRead.test(code));
    expect(elsewhere.map(({ path }) => path)).toEqual([]);
  });

  it('only main.ts and the command line end the process', () => {
    const found = shipped
      .filter((file) => !/main\.ts$|\/cli\//.test(file.path) && /\bprocess\.exit\b/.test(file.code))
      .map((file) => file.path);
    expect(found).toEqual([]);
  });
});

function findCycle(tree: readonly SourceFile[]): string[] | undefined {
  const byPath = new Map(tree.map((file) => [file.path, file]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const imported of byPath.get(path)?.imports ?? []) {
      const cycle = imported.ours ? visit(imported.target, [...trail, path]) : undefined;
      if (cycle) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const file of tree) {
    const cycle = visit(file.path, []);
    if (cycle) return cycle;
  }
  return undefined;
}
