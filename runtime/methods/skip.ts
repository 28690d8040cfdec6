/** Drops the next `count` windows of a stream on purpose. False where the stream is unknown. */
export type Skip = (batchId: string, count: number) => boolean;
