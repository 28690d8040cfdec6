// Shows that a unit answers each read with its own answer. A loopback shows nothing of that: a unit, or a serial server in
// front of it, may answer that at once, and each read with the answer to the read before. So before values are believed, a
// read must have been answered that is told by its length from all those that may be answered in its place: those that were
// sent last, whether they were answered or not.
//
// Some units give no more and no less than what they are made for. Where they refuse each such read, data behind two refusals
// is no answer to an earlier read, or it would have been a refusal too. Where they say nothing to it, that shows as much: a
// lagging unit would have given the answer to what was asked before. Not where answers have been said twice of late,
// of a unit that does answer such reads: what answered those before may have been that, and the true answer still be to come.
import { dataBytes, resized } from './response-match.ts';

/** Reads by which an answer may lag and still be told. */
const depth = 2;
/** Refused reads of another length behind which data is believed. */
const enough = depth;
/** So much longer or shorter than what is wanted, in this order. */
const steps = [1, -1, 2, -2, 3, -3];
/** Reads in a row that nothing came for: the unit says nothing to any that is no tag's own. */
const maxSilentReads = 3;
/** Reads that are remembered, one of each form. */
const maxKept = 8;

interface Sent {
  readonly read: Buffer;
  isAnswered: boolean;
}

export class StepProof {
  /** The reads that were sent last, the newest at the end. */
  #last: readonly Sent[] = [];
  #isShown: boolean;
  #refusals = 0;
  /** The last proof that was tried showed nothing. */
  #hasFailed = false;
  /** It has answered one with data. */
  #hasProved = false;
  /** Reads that were answered with data, by form. */
  readonly #good = new Map<string, Buffer>();
  /** Proofs in a row that nothing at all came for. */
  #silentReads = 0;

  /** `isShown`: until something goes wrong. */
  constructor({ isShown }: { readonly isShown: boolean }) {
    this.#isShown = isShown;
  }

  /** Each read is answered by its own answer; or the next data will show it. */
  get isShown(): boolean {
    return this.#isShown || this.#refusals >= enough;
  }

  /** The unit answers what `proofOf` gives, as far as that was tried. */
  get isEasy(): boolean {
    return !this.#hasFailed;
  }

  /** Before a proof may stay without an answer, what was asked before it has to be answered. */
  get needsLook(): boolean {
    return this.#silentReads > 0 && !this.#areAnswered(this.#last);
  }

  /** Something was not answered, or came without being asked for. */
  doubt(): void {
    this.#isShown = false;
    this.#refusals = 0;
  }

  /** No read is left that would show it, and it has been quiet for so long that nothing can still come. */
  believe(): void {
    this.#isShown = true;
  }

  /** `request` is sent. True where its answer is told from those of the reads before. */
  sent(request: Buffer): boolean {
    if (dataBytes(request) === undefined) return false;
    const isTelling = this.#isUnlike(request);
    // One more than count as before it.
    this.#last = [...this.#last, { read: request, isAnswered: false }].slice(-depth - 1);
    return isTelling;
  }

  /** Data came that may be the answer to what was sent last. */
  heard(): void {
    const last = this.#last.at(-1);
    if (last) last.isAnswered = true;
  }

  /** An answer was tied to `read`; `isTelling`: as `sent` said. */
  answered(read: Buffer, how: { isRefusal: boolean; isTelling: boolean; isProof: boolean }): void {
    if (how.isProof) {
      this.#hasFailed = how.isRefusal;
      this.#hasProved ||= !how.isRefusal;
      this.#silentReads = 0;
    }
    if (how.isRefusal) {
      this.#refusals = how.isProof ? this.#refusals + 1 : 0;
      if (how.isProof) this.#good.delete(formOf(read));
      return;
    }
    this.#isShown ||= how.isTelling;
    this.#refusals = 0;
    keep(this.#good, formOf(read), read);
  }

  /**
   * What `proofOf` gave was not answered. `isSilent`: nothing at all came. `isDoubtful`: what came before may have been said
   * twice, so the answers to those reads may still come.
   */
  failed(isSilent: boolean, isDoubtful: boolean): void {
    this.#hasFailed = true;
    if (!isSilent) return;
    this.#silentReads += 1;
    this.#isShown = !(isDoubtful && this.#hasProved) && this.#areAnswered(this.#last.slice(0, -1));
  }

  /** A read that shows it; undefined where none is left. `isTaken`: its answer could be that of another all the same. */
  proofOf(request: Buffer, isTaken: (read: Buffer) => boolean): Buffer | undefined {
    // What was refused just now is not the first to be asked again.
    const from = this.#refusals;
    const others = [...steps.slice(from), ...steps.slice(0, from)].map((by) => resized(request, by));
    return [...this.#good.values(), ...others].find(
      (read) => read !== undefined && this.#isUnlike(read) && !isTaken(read),
    );
  }

  /** False where the unit said nothing to what was like it. */
  mayBeAnswered(read: Buffer): boolean {
    return this.#silentReads < maxSilentReads || this.#good.get(formOf(read))?.equals(read) === true;
  }

  #areAnswered(sent: readonly Sent[]): boolean {
    return sent.length >= depth && sent.slice(-depth).every(({ isAnswered }) => isAnswered);
  }

  #isUnlike(read: Buffer): boolean {
    return this.#last.slice(-depth).every((other) => formOf(other.read) !== formOf(read));
  }
}

/** What tells its answer from others. */
const formOf = (read: Buffer) => `${read[1]} ${dataBytes(read)}`;

/** The newest last; the oldest goes. */
function keep(known: Map<string, Buffer>, key: string, read: Buffer): void {
  known.delete(key);
  known.set(key, read);
  const [oldest] = known.keys();
  if (known.size > maxKept) known.delete(oldest!);
}
