// Matches readings of a polled unit to the answers that they came from: a reading carries the time at which the answer
// arrived, a little after it was given, so the two are paired by time and values.
import { holds, type SeenReading, type StreamCopy } from './cloud-copy.ts';
import type { TrueSample, Values } from './true-sample.ts';

/** Each index takes the answer that agrees with it best, among those given at about its time; each answer once. */
export function matchAnswers(
  shown: readonly TrueSample[],
  copy: StreamCopy,
  laterMs: number,
  earlierMs: number,
) {
  const byAnswer = new Map<TrueSample, Map<string, SeenReading>>();
  const byIndex = new Map<number, TrueSample>();
  let from = 0;
  for (const [index, tags] of [...copy.readings].sort(([a], [b]) => a - b)) {
    while (from < shown.length && shown[from]!.at < index - laterMs) from += 1;
    let best: TrueSample | undefined;
    let bestAgreement = 0;
    const distance = (answer: TrueSample | undefined) => Math.abs(index - (answer?.at ?? 0));
    for (let at = from; at < shown.length && shown[at]!.at <= index + earlierMs; at++) {
      const answer = shown[at]!;
      const agreement = byAnswer.has(answer) ? 0 : agreementOf(tags, answer.values);
      const isNearer = agreement === bestAgreement && distance(answer) < distance(best);
      if (agreement > bestAgreement || (agreement > 0 && isNearer)) {
        best = answer;
        bestAgreement = agreement;
      }
    }
    // Half of the tags must agree, or the values come from nowhere: a changed reading is told from an invented one.
    if (!best || bestAgreement * 2 < tags.size) continue;
    byAnswer.set(best, tags);
    byIndex.set(index, best);
  }
  return { byAnswer, byIndex };
}

function agreementOf(tags: ReadonlyMap<string, SeenReading>, values: Values): number {
  let agreeing = 0;
  for (const [tag, seen] of tags) if (holds(seen, values[tag])) agreeing += 1;
  return agreeing;
}
