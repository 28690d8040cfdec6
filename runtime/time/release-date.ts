/**
 * When this version was released, UTC: whoever runs it lives later. Raised with each release; the image build
 * needs no clock of its own for it, so that the same source gives the same image.
 */
export const releasedAt = Date.UTC(2026, 10, 1);
