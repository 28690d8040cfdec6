/** What every contender of the loop reads: 10,000 registers, each a tag, in requests of 125. */
export const blockRegisters = 125;
export const blocks = 80;

export interface LoopSettings {
  readonly port: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}
