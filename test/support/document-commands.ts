// The commands that the documents show: lines of code blocks, and code within sentences that begins with a program and
// goes on. What a document writes is what somebody pastes into a shell.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './source-tree.ts';

export interface DocumentCommand {
  /** `path:line` */
  readonly place: string;
  /** Its words, without variables before it, comment and what follows a pipe or `&&`. */
  readonly words: readonly string[];
  /** All of it. */
  readonly text: string;
}

/** What a command may begin with. A block of code is for a shell where its first line begins with one of them. */
const programs = new Set([
  ...['./holdfast', 'holdfast', 'npx', 'npm', 'node', 'bash'],
  ...['docker', 'az', 'sudo', 'mv', 'cp', 'chown', 'openssl', 'curl', 'dotnet'],
]);

export function documentPaths(): readonly string[] {
  return globSync(['*.md', 'docs/**/*.md', 'lab/**/README.md'], { cwd: root }).sort();
}

export function documentCommands(): readonly DocumentCommand[] {
  return documentPaths().flatMap((path) => commandsOf(path, readFileSync(join(root, path), 'utf8')));
}

export function commandsOf(path: string, text: string): readonly DocumentCommand[] {
  return [...blocks(text).flatMap(shellLines), ...inline(text)].flatMap(({ line, code }) => {
    const words = wordsOf(code);
    return words.length === 0 ? [] : [{ place: `${path}:${line}`, words, text: code }];
  });
}

interface Line {
  /** From 1. */
  readonly line: number;
  readonly code: string;
}

/** Fenced ones, and indented ones after an empty line. */
function blocks(text: string): Line[][] {
  const found: Line[][] = [];
  let fenced: Line[] | undefined;
  let indented: Line[] | undefined;
  for (const [at, code] of text.split('\n').entries()) {
    const isFence = /^\s*```/.test(code);
    if (isFence) {
      if (fenced) found.push(fenced);
      fenced = fenced ? undefined : [];
    } else if (fenced) fenced.push({ line: at + 1, code: code.trim() });
    else if (/^ {4}\S/.test(code)) {
      if (!indented) {
        indented = [];
        found.push(indented);
      }
      indented.push({ line: at + 1, code: code.trim() });
    } else indented = undefined;
  }
  return found;
}

function shellLines(block: readonly Line[]): Line[] {
  const joined: Line[] = [];
  let isContinued = false;
  for (const { line, code } of block) {
    const last = joined.at(-1);
    const more = code.endsWith('\\');
    const own = more ? code.slice(0, -1) : code;
    if (isContinued && last) joined[joined.length - 1] = { ...last, code: `${last.code}${own} ` };
    else joined.push({ line, code: own });
    isContinued = more;
  }
  const lines = joined.filter(({ code }) => code !== '' && !code.startsWith('#'));
  return lines.length > 0 && programs.has(wordsOf(lines[0]!.code)[0] ?? '') ? lines : [];
}

function inline(text: string): Line[] {
  return text.split('\n').flatMap((line, at) =>
    [...line.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => {
      const [first, ...rest] = wordsOf(code!);
      // With nothing after it, or nothing but a command's name, it is a name.
      const isName =
        first === 'holdfast' &&
        (rest.length < 2 || (['spool', 'rules'].includes(rest[0]!) && rest.length < 3));
      const isShown = programs.has(first ?? '') && rest.length > 0 && !isName;
      // Derived keys have labels of this kind.
      return isShown && !/^holdfast (spool )?(key|record)/.test(code!) ? [{ line: at + 1, code: code! }] : [];
    }),
  );
}

function wordsOf(code: string): readonly string[] {
  const words: string[] = [];
  for (const [, single, double, plain] of code.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)) {
    if (plain !== undefined && /^(\||&&|;|>|#)/.test(plain)) break;
    words.push(single ?? double ?? plain!);
  }
  while (/^[A-Z][A-Z0-9_]*=/.test(words[0] ?? '')) words.shift();
  return words;
}
