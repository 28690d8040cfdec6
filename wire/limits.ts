// Bounds of the protocol. docs/LIMITS.md explains each.

/** IoT Hub's limit for a device-to-cloud message, body and properties together. */
export const maxMessageBytes = 262_144;
/** IoT Hub meters messages in units of this size. */
export const meteredUnitBytes = 4096;
export const maxBatchIdLength = 128;
export const maxRequestIdLength = 128;
/** Names of the counts of late windows. */
export const maxLateSeriesLength = 16;
/** IoT Hub's limit for the system property message-id. */
export const maxMessageIdLength = 128;
export const maxQualityLength = 64;
/** A body larger than this when unpacked is never made, and is refused, not unpacked: the bound against gzip bombs. */
export const maxUnpackedBytes = 16 * 1024 * 1024;
/** Readings in one message. A window with more goes up as parts; a body that claims more is refused. */
export const maxReadingsPerMessage = 100_000;
/** Arrays and objects inside one reading's value. */
export const maxValueDepth = 32;
/** Messages of one window. */
export const maxParts = 10_000;
/** Elements of all arrays and objects in the values of one message, for the memory that parsing them takes. */
export const maxBodyNodes = 1_000_000;
/** A tag's name, UTF-16 units. Bounds what a body can unfold to: it names each tag once. */
export const maxTagLength = 1024;
/** Text that columns/1 may state once for a whole column: the same bound again. */
export const maxConstantLength = 256;
