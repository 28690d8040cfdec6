// Reads the project's own TypeScript as text: which files there are, what each imports, and its code
// without comments and strings. Enough for the architecture's rules, without a compiler's API.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

export interface ImportStatement {
  /** A path from the project's root for our own files; the package's name for the rest. */
  readonly target: string;
  readonly ours: boolean;
  readonly typeOnly: boolean;
}

export interface SourceFile {
  /** From the project's root, with forward slashes. */
  readonly path: string;
  readonly imports: readonly ImportStatement[];
  /** The code, comments and string contents blanked. */
  readonly code: string;
}

/** Reads whatever stands at a path, be it a pipe that never answers or a device without end. */
export const rawFileRead = /\breadFile(?:Sync)?\(|\bcreateReadStream\(/;

const ourFolders = ['wire', 'kernel', 'runtime', 'cloud-lite', 'lab', 'test'];

export function readSourceTree(): readonly SourceFile[] {
  return ourFolders
    .flatMap((folder) => globSync(`${folder}/**/*.{ts,tsx}`, { cwd: root }))
    .map((path) => path.split(sep).join(posix.sep))
    .filter((path) => !path.includes('node_modules/') && !path.includes('/dist/'))
    .sort()
    .map(readSourceFile);
}

function readSourceFile(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const uncommented = blank(text, { strings: false });
  return { path, imports: importsOf(path, uncommented), code: blank(text, { strings: true }) };
}

// `import x from 'y'`, `export x from 'y'`, `import 'y'` and `import('y')`.
const statement = /\b(import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?['"]([^'"]+)['"]/g;
const dynamic = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

function importsOf(path: string, code: string): ImportStatement[] {
  const found: ImportStatement[] = [];
  for (const match of code.matchAll(statement)) found.push(resolveImport(path, match[3]!, Boolean(match[2])));
  for (const match of code.matchAll(dynamic)) found.push(resolveImport(path, match[1]!, false));
  return found;
}

function resolveImport(from: string, specifier: string, typeOnly: boolean): ImportStatement {
  if (specifier.startsWith('.')) {
    const target = relative(root, resolve(root, dirname(from), specifier))
      .split(sep)
      .join(posix.sep);
    return { target, ours: true, typeOnly };
  }
  const parts = specifier.split('/');
  const name = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
  return { target: name, ours: false, typeOnly };
}

/** Replaces comments (and, if asked, what stands in quotes) by blanks, so that line numbers stay. */
function blank(text: string, options: { strings: boolean }): string {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[dgimsuvy]*(?=\s*[.,;)\]])/g;
  return text.replace(token, (match) => {
    const comment = match.startsWith('/*') || match.startsWith('//');
    return comment || options.strings ? match.replace(/[^\n]/g, ' ') : match;
  });
}
