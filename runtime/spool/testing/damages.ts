// Damages that may happen to a file of the spool between two starts.
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { type Random, randomInt } from '../../../kernel/random.ts';

type Damage = (path: string, random: Random) => void;

const rewrite = (path: string, random: Random, work: (bytes: Buffer, at: number) => void) => {
  const bytes = readFileSync(path);
  if (bytes.byteLength > 0) work(bytes, randomInt(random, bytes.byteLength));
  writeFileSync(path, bytes);
};
/** A file of the same folder, most often of its kind; itself where it is alone. */
function neighbourOf(path: string, random: Random): string {
  const folder = dirname(path);
  const others = readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((each) => each !== path && statSync(each, { throwIfNoEntry: false })?.isFile())
    .sort();
  const alike = others.filter((each) => extname(each) === extname(path));
  const among = alike.length > 0 && randomInt(random, 4) > 0 ? alike : others;
  return among[randomInt(random, Math.max(1, among.length))] ?? path;
}

const damages: Readonly<Record<string, Damage>> = {
  'bit flipped': (path, random) =>
    rewrite(path, random, (bytes, at) => {
      bytes[at] = bytes[at]! ^ (1 << randomInt(random, 8));
    }),
  'sector of zeros': (path, random) =>
    rewrite(path, random, (bytes, at) => bytes.subarray(at - (at % 512), at - (at % 512) + 512).fill(0)),
  'zeros to the end': (path, random) => rewrite(path, random, (bytes, at) => bytes.fill(0, at)),
  noise: (path, random) =>
    rewrite(path, random, (bytes, at) =>
      bytes.subarray(at, at + randomInt(random, 5000)).fill(randomInt(random, 256)),
    ),
  cut: (path, random) => truncateSync(path, randomInt(random, statSync(path).size + 1)),
  'bytes appended': (path, random) =>
    appendFileSync(path, Buffer.alloc(1 + randomInt(random, 9000), randomInt(random, 256))),
  'cut, and bytes appended': (path, random) => {
    truncateSync(path, randomInt(random, statSync(path).size + 1));
    appendFileSync(path, Buffer.alloc(1 + randomInt(random, 9000), randomInt(random, 256)));
  },
  // As file systems and disks do that lose their way.
  'a piece of it in another place': (path, random) =>
    rewrite(path, random, (bytes, at) => {
      const unit = [512, 4096][randomInt(random, 2)]!;
      const from = randomInt(random, Math.ceil(bytes.byteLength / unit)) * unit;
      bytes.copy(bytes, at - (at % unit), from, from + unit);
    }),
  'bytes inserted': (path, random) => {
    const bytes = readFileSync(path);
    const at = randomInt(random, bytes.byteLength + 1);
    const more = Buffer.alloc(1 + randomInt(random, 600), randomInt(random, 256));
    writeFileSync(path, Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]));
  },
  'bytes taken out': (path, random) => {
    const bytes = readFileSync(path);
    const at = randomInt(random, bytes.byteLength + 1);
    writeFileSync(
      path,
      Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + randomInt(random, 600))]),
    );
  },
  'itself once more behind it': (path) => appendFileSync(path, readFileSync(path)),
  'exchanged with its neighbour': (path, random) => {
    const other = neighbourOf(path, random);
    const bytes = [readFileSync(path), readFileSync(other)] as const;
    writeFileSync(path, bytes[1]);
    writeFileSync(other, bytes[0]);
  },
  'a copy of its neighbour': (path, random) => writeFileSync(path, readFileSync(neighbourOf(path, random))),
  removed: (path) => rmSync(path),
  'a folder': (path) => {
    rmSync(path);
    mkdirSync(path);
  },
  'a link that leads nowhere': (path) => {
    rmSync(path);
    symlinkSync('nowhere', path);
  },
};

/** One to three damages of any kind, to any files. Says which. */
export function damageFolder(folder: string, random: Random): string {
  const kinds = Object.entries(damages);
  const done: string[] = [];
  for (let more = 1 + randomInt(random, 3); more > 0; more--) {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(folder, name), { throwIfNoEntry: false })?.isFile(),
    );
    const file = files.sort()[randomInt(random, files.length)]!;
    const [name, damage] = kinds[randomInt(random, kinds.length)]!;
    damage(join(folder, file), random);
    done.push(`${file}: ${name}`);
  }
  return done.join(', ');
}
