/**
 * Drops the next `count` windows of a stream on purpose (of every stream, where `batchId` is undefined), to
 * prove in the field that the loss is noticed and healed. False where the stream is unknown.
 */
export type Skip = (batchId: string | undefined, count: number) => boolean;
