// Functions that Stream Analytics has and these rules refuse, each by its name and with what to do instead.
import { RuleQueryError, refused } from './query-error.ts';
import type { Call } from './tree.ts';

const byName: readonly (readonly [RegExp, string, string])[] = [
  [/^udf\./i, 'a user-defined function', 'Write it out in the query, or compute it in a module of its own.'],
  [
    /^uda\./i,
    'a user-defined aggregate',
    'Use the built-in aggregates, or compute it in a module of its own.',
  ],
  [
    /^AnomalyDetection_/i,
    'machine learning',
    'Compare with the average and STDEV of a window: AVG(x) + 3 * STDEV(x).',
  ],
  [
    /^(?:ST_|Create(?:Point|Polygon|LineString)$)/i,
    'geospatial functions',
    'Compare the coordinates as numbers.',
  ],
  [
    /^GetMetadataPropertyValue$/i,
    'metadata of messages',
    'A row holds what its source reads: make it a field there.',
  ],
  [/^REGEX(?:MATCH|REPLACE)$/i, 'regular expressions', 'Use LIKE, PATINDEX, CHARINDEX or REPLACE.'],
  [
    /^(?:GETDATE|GETUTCDATE|SYSUTCDATETIME|CURRENT_TIMESTAMP)$/i,
    'the present time',
    'Use System.Timestamp(): what a rule decides depends on its events alone.',
  ],
];

/** @throws RuleQueryError always: for what is known, and for what nobody knows */
export function refuseCall({ name, at }: Call): never {
  const known = byName.find(([pattern]) => pattern.test(name));
  if (known !== undefined) throw refused(at, `${name}: ${known[1]}`, known[2]);
  throw new RuleQueryError(at, `there is no function ${name}`, 'docs/RULES.md lists all functions.');
}
