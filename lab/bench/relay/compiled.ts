// The module as its image has it (Dockerfile.arm64v8), or parts of it compiled, and the image's memory settings for the process
// that runs them.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle } from '../../../scripts/bundle.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** As the image sets them, for people; and for a process. */
export function imageSettings(): { readonly text: string; readonly env: Readonly<Record<string, string>> } {
  const lines = readFileSync(join(root, 'Dockerfile.arm64v8'), 'utf8')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  const text = lines.find((line) => /^ENV .*NODE_OPTIONS=/.test(line))?.slice('ENV '.length);
  if (text === undefined) throw new Error('Dockerfile.arm64v8 sets no NODE_OPTIONS');
  const pairs = text.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g);
  const env = Object.fromEntries([...pairs].map(([, name, quoted, plain]) => [name, quoted ?? plain]));
  return { text, env: { NODE_ENV: 'production', ...env } };
}

/** Returns where its main file is. */
export async function bundleModule(folder: string): Promise<URL> {
  await bundle('runtime', join(folder, 'dist'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return pathToFileURL(join(folder, 'dist/main.cjs'));
}

/** Compiles these files and all that they import. Returns where a file went. */
export function compile(folder: string, files: readonly URL[]): (file: URL) => URL {
  mkdirSync(folder, { recursive: true });
  const dist = join(folder, 'dist');
  const settings = {
    extends: join(root, 'tsconfig.build.json'),
    compilerOptions: { outDir: dist, rootDir: root, typeRoots: [join(root, 'node_modules/@types')] },
    include: [],
    files: files.map((file) => fileURLToPath(file)),
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  // Types are looked at elsewhere.
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder, '--noCheck'], {
    stdio: ['ignore', process.stderr, 'inherit'],
  });
  return (file) => {
    const path = fileURLToPath(file).slice(root.length).replace(/\.ts$/, '.js');
    return pathToFileURL(join(dist, path));
  };
}
